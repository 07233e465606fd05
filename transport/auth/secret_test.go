package auth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"graphy/transport/auth/authtest"
)

func TestSecretsThatCanBeGuessed(t *testing.T) {
	secrets := []string{
		"secret", "your-256-bit-secret", "changeme", strings.Repeat("x", 31), // short
		strings.Repeat("a", 64), strings.Repeat("\x00", 64), strings.Repeat("ab", 32), strings.Repeat("0", 32),
		strings.Repeat("changeme", 8), strings.Repeat("p4$$w0rd!", 5), strings.Repeat("k9QzT2xW", 4),
		"0123456789abcdef0123456789abcdef", "abcdefghijklmnopqrstuvwxyz0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef",
		"zyxwvutsrqponmlkjihgfedcba9876543210", "12345678901234567890123456789012", "deadbeefdeadbeefdeadbeefdeadbeef", "ahapahaxahapaha3ahapahaxahapahaZ",
		"a-string-secret-at-least-256-bits-long", "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
		"your-256-bit-secret-your-256-bit-secret", "this-is-a-very-long-secret-key-for-jwt", "MySuperSecretKeyForJWTTokenSigning123",
		"my_super_secret_jwt_key_change_me_in_production", "change-this-to-a-secure-random-string-in-production",
		"please-change-this-secret-in-production-env", "SuperSecretPasswordForDevelopmentOnly!!", "qwertyuiopasdfghjklzxcvbnm123456",
		"graphy-development-secret-change-me-please", "thisisthesecretthisisthesecretkey!!",
	}
	for _, secret := range secrets {
		err := checkSecret(secret)
		if err == nil {
			t.Errorf("checkSecret(%q): got nil, want an error", secret)
		} else if len(secret) > 8 && strings.Contains(err.Error(), secret) {
			t.Errorf("checkSecret(%q): %v quotes it", secret, err)
		}
	}
}

// TestRandomSecrets makes secrets as operators do; none is refused.
func TestRandomSecrets(t *testing.T) {
	good := []string{authtest.Secret, "correct horse battery staple and eleven purple walruses"}
	for range 20_000 {
		var b [48]byte
		if _, err := rand.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		printable := make([]byte, 32)
		for i := range printable {
			printable[i] = '!' + b[i]%94
		}
		good = append(good, hex.EncodeToString(b[:16]), hex.EncodeToString(b[:32]), base64.StdEncoding.EncodeToString(b[:24]),
			base64.RawURLEncoding.EncodeToString(b[:]), string(b[:32]), string(printable))
	}
	for _, secret := range good {
		if err := checkSecret(secret); err != nil {
			t.Errorf("checkSecret(%q): %v", secret, err)
		}
	}
}
