package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"graphy/transport/auth/authtest"
)

// TestNone sends tokens that say that they need no signature.
func TestNone(t *testing.T) {
	keys := authtest.NewKeys(t)
	verifiers := map[string]*Verifier{
		"secret": withSecret(t), "keys": withKeys(t, keys),
		"both": newVerifier(t, Options{Secret: authtest.Secret, JWKSURL: keys.URL}),
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "none ", "", "null", "HS0"} {
		header := encode(`{"alg":"` + alg + `","kid":"key-1"}`)
		signed := strings.Split(token(t), ".")[2]
		for name, v := range verifiers {
			for _, signature := range []string{"", signed, encode("none")} {
				refuse(t, v, header+"."+encode(plainPayload)+"."+signature, ErrInvalid)
			}
			if t.Failed() {
				t.Fatalf("alg %q at a verifier with %s", alg, name)
			}
		}
	}
}

// signers are keys of every type, as a JWKS publishes them and as they sign.
type signers struct {
	rsa     *rsa.PrivateKey
	ecdsa   map[string]*ecdsa.PrivateKey // by algorithm
	ed25519 ed25519.PrivateKey
	set     []jwkset.JWKMarshal // kid: "RSA", the algorithm, "EdDSA"; without alg
}

func newSigners(t testing.TB) *signers {
	t.Helper()
	s := &signers{ecdsa: map[string]*ecdsa.PrivateKey{}}
	var err error
	if s.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	s.publish(t, &s.rsa.PublicKey, "RSA")
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		if s.ecdsa[alg], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
		s.publish(t, &s.ecdsa[alg].PublicKey, alg)
	}
	var public ed25519.PublicKey
	if public, s.ed25519, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	s.publish(t, public, "EdDSA")
	return s
}

func (s *signers) publish(t testing.TB, public any, id string) {
	jwk := authtest.Public(t, public, id, "")
	jwk.ALG = ""
	s.set = append(s.set, jwk)
}

// sign returns a token of this algorithm and kid.
func (s *signers) sign(t testing.TB, alg, id string) string {
	t.Helper()
	var key any = s.rsa
	switch {
	case strings.HasPrefix(alg, "ES"):
		key = s.ecdsa[alg]
	case alg == "EdDSA":
		key = s.ed25519
	}
	header := map[string]any{}
	if id != "" {
		header["kid"] = id
	}
	return authtest.SignWith(t, jwt.GetSigningMethod(alg), key, header, authtest.Claims("ann", editor))
}

// keyOf returns the kid that signers give to the key of an algorithm.
func keyOf(alg string) string {
	if alg[1] == 'S' && alg[0] != 'E' {
		return "RSA"
	}
	return alg
}

// TestFamilies signs with every algorithm: each is accepted with a key that fits it, named or not, and with no other.
func TestFamilies(t *testing.T) {
	s := newSigners(t)
	keys := authtest.NewKeys(t)
	keys.Publish(s.set...)
	both := newVerifier(t, Options{Secret: authtest.Secret, JWKSURL: keys.URL})
	secret := withSecret(t)
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			accept(t, both, s.sign(t, alg, keyOf(alg)))
			accept(t, both, s.sign(t, alg, ""))
			refuse(t, both, s.sign(t, alg, "nobody's"), ErrInvalid)
			for _, jwk := range s.set {
				if jwk.KID != keyOf(alg) {
					refuse(t, both, s.sign(t, alg, jwk.KID), ErrInvalid)
				}
			}
			refuse(t, secret, s.sign(t, alg, keyOf(alg)), ErrInvalid)
		})
	}
	accept(t, both, token(t))
	refuse(t, withKeys(t, keys), token(t), ErrInvalid)
}

// TestOtherHMACs signs with the right secret and an algorithm of its family that is not the one.
func TestOtherHMACs(t *testing.T) {
	v := withSecret(t)
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
		refuse(t, v, authtest.SignWith(t, method, []byte(authtest.Secret), nil, authtest.Claims("ann", editor)), ErrInvalid)
	}
	refuse(t, v, authtest.SignWith(t, jwt.SigningMethodHS256, []byte(strings.ToLower(authtest.Secret)), nil, authtest.Claims("ann", editor)), ErrInvalid)
}

// TestPublicKeyAsSecret signs with HS256 and what everybody can read: the bytes of a public key, in every form.
func TestPublicKeyAsSecret(t *testing.T) {
	s := newSigners(t)
	keys := authtest.NewKeys(t)
	keys.Publish(s.set...)
	verifiers := []*Verifier{withKeys(t, keys), newVerifier(t, Options{Secret: authtest.Secret, JWKSURL: keys.URL})}
	der, err := x509.MarshalPKIXPublicKey(&s.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(&s.rsa.PublicKey)
	forms := [][]byte{
		der, pkcs1, s.rsa.N.Bytes(), []byte(s.set[0].N),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		slices.Clone(s.ed25519.Public().(ed25519.PublicKey)), {},
	}
	for _, form := range forms {
		for _, id := range []string{"RSA", "EdDSA"} {
			forged := authtest.SignWith(t, jwt.SigningMethodHS256, form, map[string]any{"kid": id}, authtest.Claims("ann", editor))
			for _, v := range verifiers {
				accept(t, v, s.sign(t, "RS256", "RSA"))
				refuse(t, v, forged, ErrInvalid)
			}
		}
	}
}

// TestKeyInTheToken sends the key to verify with inside the token.
func TestKeyInTheToken(t *testing.T) {
	keys := authtest.NewKeys(t)
	mine := newSigners(t)
	v := withKeys(t, keys)
	accept(t, v, keys.Token("ann", editor))
	for _, header := range []map[string]any{
		{"jwk": mine.set[0]}, {"jwk": mine.set[0], "kid": "key-1"}, {"jku": keys.URL}, {"x5u": keys.URL, "x5c": []string{"AA"}},
	} {
		refuse(t, v, authtest.SignWith(t, jwt.SigningMethodRS256, mine.rsa, header, authtest.Claims("ann", editor)), ErrInvalid)
	}
}
