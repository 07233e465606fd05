package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

// A token is believed by a server with the same settings, for as long as it says and no longer.
func TestToken(t *testing.T) {
	clearSettings(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(authtest.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{authtest.Secret, "@" + file} {
		t.Setenv("GRAPHY_JWT_SECRET", secret)
		t.Setenv("GRAPHY_JWT_AUDIENCE", "graphy")
		t.Setenv("GRAPHY_JWT_ISSUER", "me")
		got := newRig(t, nil).run(t.Context(), "token", "--user", "ada", "--graph", "demo=editor", "--graph", "*=viewer", "--admin", "--ttl", "2h")
		if got.code != 0 || got.errors != "" || strings.Count(got.out, "\n") != 1 {
			t.Fatalf("exit code %d: %q %s", got.code, got.out, got.errors)
		}
		verifier, err := auth.New(auth.Options{Secret: authtest.Secret, Audience: "graphy", Issuer: "me", Now: func() time.Time { return frozen.Add(time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		p, err := verifier.Verify(t.Context(), strings.TrimSpace(got.out))
		if err != nil || p.User != "ada" || p.Role("demo") != auth.Editor || p.Role("other") != auth.Viewer || !p.Admin || !p.Expires.Equal(frozen.Add(2*time.Hour)) {
			t.Errorf("got %+v, %v", p, err)
		}
	}
}

func TestTokenRefuses(t *testing.T) {
	clearSettings(t)
	for _, test := range []struct{ secret, args, words string }{
		{"", "--user ada", "GRAPHY_JWT_SECRET"},
		{"short", "--user ada", "fewer than 32"},
		{"changeme-changeme-changeme-changeme", "--user ada", "random"},
		{"@/nowhere/at/all", "--user ada", "/nowhere/at/all"},
		{authtest.Secret, "", "--user"},
		{authtest.Secret, "--user a --ttl 25h", "--long"},
		{authtest.Secret, "--user a --ttl 9000h --long", "--ttl"},
		{authtest.Secret, "--user a --ttl 0s", "--ttl"},
		{authtest.Secret, "--user a --graph x=king", "no role"},
		{authtest.Secret, "--user a --graph x/y=owner", "an id is"},
		{authtest.Secret, "--user a --graph x=owner --graph x=viewer", "twice"},
		{authtest.Secret, "--user a extra", "extra"},
	} {
		t.Setenv("GRAPHY_JWT_SECRET", test.secret)
		got := newRig(t, nil).run(t.Context(), append([]string{"token"}, strings.Fields(test.args)...)...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.errors, test.words) || test.secret != "" && strings.Contains(got.errors, test.secret[:4]+"m") {
			t.Errorf("%s: exit code %d, %q %s, want %q in it", test.args, got.code, got.out, got.errors, test.words)
		}
	}
	t.Setenv("GRAPHY_JWT_SECRET", authtest.Secret)
	if got := newRig(t, nil).run(t.Context(), "token", "--user", "a", "--ttl", "48h", "--long"); got.code != 0 {
		t.Errorf("with --long: exit code %d: %s", got.code, got.errors)
	}
}
