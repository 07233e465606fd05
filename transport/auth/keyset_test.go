package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/MicahParks/jwkset"
)

// TestKeysThatDoNotFit publishes a key in ways in which it may not verify tokens, beside one that may.
func TestKeysThatDoNotFit(t *testing.T) {
	s := newSigners(t)
	es256 := index(s.set, "ES256")
	tests := []struct {
		name   string
		base   jwkset.JWKMarshal
		change func(*jwkset.JWKMarshal)
		fits   []string // algorithms
	}{
		{"RSA without alg", s.set[0], func(*jwkset.JWKMarshal) {}, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
		{"RSA for one alg", s.set[0], func(k *jwkset.JWKMarshal) { k.ALG = "PS384" }, []string{"PS384"}},
		{"RSA for encryption by alg", s.set[0], func(k *jwkset.JWKMarshal) { k.ALG = "RSA-OAEP" }, nil},
		{"RSA for encryption by use", s.set[0], func(k *jwkset.JWKMarshal) { k.USE = "enc" }, nil},
		{"an unknown use", s.set[0], func(k *jwkset.JWKMarshal) { k.USE = "SIG" }, nil},
		{"RSA said to be HS256", s.set[0], func(k *jwkset.JWKMarshal) { k.ALG = "HS256" }, nil},
		{"RSA said to be none", s.set[0], func(k *jwkset.JWKMarshal) { k.ALG = "none" }, nil},
		{"RSA said to be ES256", s.set[0], func(k *jwkset.JWKMarshal) { k.ALG = "ES256" }, nil},
		{"for signing only", s.set[0], func(k *jwkset.JWKMarshal) { k.KEYOPS = []jwkset.KEYOPS{"sign"} }, nil},
		{"for verifying", s.set[0], func(k *jwkset.JWKMarshal) { k.KEYOPS = []jwkset.KEYOPS{"verify"}; k.ALG = "RS256" }, []string{"RS256"}},
		{"no use", s.set[0], func(k *jwkset.JWKMarshal) { k.USE = ""; k.ALG = "RS256" }, []string{"RS256"}},
		{"RSA without a modulus", s.set[0], func(k *jwkset.JWKMarshal) { k.N = "" }, nil},
		{"RSA with an exponent of 1", s.set[0], func(k *jwkset.JWKMarshal) { k.E = "AQ" }, nil},
		{"RSA that gives its secret away", s.set[0], func(k *jwkset.JWKMarshal) { k.D = k.N }, nil},
		{"P-256", es256, func(*jwkset.JWKMarshal) {}, []string{"ES256"}},
		{"P-256 said to be ES384", es256, func(k *jwkset.JWKMarshal) { k.ALG = "ES384" }, nil},
		{"P-256 said to be P-384", es256, func(k *jwkset.JWKMarshal) { k.CRV = "P-384" }, nil},
		{"a point off the curve", es256, func(k *jwkset.JWKMarshal) { k.X, k.Y = k.Y, k.X }, nil},
		{"secp256k1", es256, func(k *jwkset.JWKMarshal) { k.CRV = "secp256k1"; k.ALG = "ES256K" }, nil},
		{"Ed25519", index(s.set, "EdDSA"), func(*jwkset.JWKMarshal) {}, []string{"EdDSA"}},
		{"X25519", index(s.set, "EdDSA"), func(k *jwkset.JWKMarshal) { k.CRV = "X25519" }, nil},
		{"a secret", jwkset.JWKMarshal{KTY: "oct", KID: "k", K: strings.Repeat("A", 43)}, func(*jwkset.JWKMarshal) {}, nil},
		{"an unknown type", jwkset.JWKMarshal{KTY: "AKP", KID: "k"}, func(*jwkset.JWKMarshal) {}, nil},
		{"nothing", jwkset.JWKMarshal{}, func(*jwkset.JWKMarshal) {}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			jwk := test.base
			jwk.KID = "it"
			test.change(&jwk)
			beside := index(s.set, "ES512")
			set, leftOut, err := parseKeyset(marshal(t, jwk, beside))
			if err != nil {
				t.Fatal(err)
			}
			for _, alg := range append([]string{"HS256", "none", "ES256K"}, algorithms...) {
				fit, _ := set.find(alg, "it")
				if want := slices.Contains(test.fits, alg); (len(fit) > 0) != want {
					t.Errorf("fits %s: got %v, want %v", alg, !want, want)
				}
			}
			if fit, known := set.find("ES512", beside.KID); len(fit) != 1 || !known {
				t.Error("the key beside it is lost")
			}
			if want := len(test.fits) == 0; (len(leftOut) > 0) != want {
				t.Errorf("left out: got %v, want %v", leftOut, want)
			}
		})
	}
}

func TestKeySizes(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := algorithmsOf(&short.PublicKey); err == nil {
		t.Error("a modulus of 1024 bits fits")
	}
}

func TestSetsThatAreNone(t *testing.T) {
	many := `{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"oct"},`, maxKeys+1), ",") + `]}`
	for _, text := range []string{``, `null`, `[]`, `{}`, `{"keys":null}`, `{"keys":{}}`, `{"Keys":[]}`, `{"keys":[],"keys":[]}`, `{"keys":[{"kty":"a","kty":"b"}]}`, `{"keys":[]} x`, many, `<html>`} {
		if set, _, err := parseKeyset([]byte(text)); err == nil {
			t.Errorf("parseKeyset(%.40q): got %d keys, want an error", text, len(set.keys))
		}
	}
	set, leftOut, err := parseKeyset([]byte(`{"keys":[1,null,{"kid":2}],"more":true}`))
	if err != nil || len(set.keys) != 0 || len(leftOut) != 3 {
		t.Errorf("keys that are none: got %v, %v, %v", set, leftOut, err)
	}
}

func index(set []jwkset.JWKMarshal, id string) jwkset.JWKMarshal {
	for _, jwk := range set {
		if jwk.KID == id {
			return jwk
		}
	}
	return jwkset.JWKMarshal{}
}

func marshal(t testing.TB, keys ...jwkset.JWKMarshal) []byte {
	t.Helper()
	data, err := json.Marshal(jwkset.JWKSMarshal{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return data
}
