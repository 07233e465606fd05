package auth

import (
	"strings"
	"testing"
	"time"

	"graphy/transport/auth/authtest"
)

func TestOptions(t *testing.T) {
	tests := []struct {
		name string
		opts Options
		why  string // "": they are good
	}{
		{"a secret", Options{Secret: authtest.Secret}, ""},
		{"a JWKS", Options{JWKSURL: "https://id.example/jwks"}, ""},
		{"both", Options{Secret: authtest.Secret, JWKSURL: "https://id.example/jwks?tenant=1", Leeway: time.Minute}, ""},
		{"a JWKS on loopback", Options{JWKSURL: "http://127.0.0.1:8080/jwks"}, ""},
		{"a JWKS on loopback, v6", Options{JWKSURL: "http://[::1]:8080/jwks"}, ""},
		{"a JWKS on localhost", Options{JWKSURL: "http://localhost/jwks"}, ""},
		{"neither", Options{}, "neither"},
		{"a short secret", Options{Secret: "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4"}, "32"},
		{"a short secret beside a JWKS", Options{Secret: "short", JWKSURL: "https://id.example/jwks"}, "32"},
		{"a JWKS in the clear", Options{JWKSURL: "http://id.example/jwks"}, "https"},
		{"a JWKS in a file", Options{JWKSURL: "file:///etc/jwks"}, "host"},
		{"a JWKS elsewhere", Options{JWKSURL: "ftp://id.example/jwks"}, "https"},
		{"a JWKS on a host that sounds local", Options{JWKSURL: "http://localhost.example/jwks"}, "https"},
		{"a JWKS with a password", Options{JWKSURL: "https://u:pw@id.example/jwks"}, "password"},
		{"no URL", Options{JWKSURL: "://"}, "no URL"},
		{"a path", Options{JWKSURL: "/jwks"}, "host"},
		{"too much leeway", Options{Secret: authtest.Secret, Leeway: time.Minute + 1}, "leeway"},
		{"negative leeway", Options{Secret: authtest.Secret, Leeway: -1}, "leeway"},
		{"negative times", Options{Secret: authtest.Secret, Refresh: -1}, "every"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.opts)
			switch {
			case test.why == "" && err != nil:
				t.Errorf("got %v, want a verifier", err)
			case test.why != "" && (err == nil || !strings.Contains(err.Error(), test.why)):
				t.Errorf("got %v, want an error with %q", err, test.why)
			case err != nil && test.opts.Secret != "" && strings.Contains(err.Error(), test.opts.Secret):
				t.Errorf("%v quotes the secret", err)
			}
		})
	}
}
