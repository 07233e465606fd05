package transport

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

// BenchmarkEnter is what telling who sends a command, and whether they may, costs each.
func BenchmarkEnter(b *testing.B) {
	verifier, err := auth.New(auth.Options{Secret: authtest.Secret})
	if err != nil {
		b.Fatal(err)
	}
	for _, gate := range []struct {
		name  string
		opts  Options
		token string
	}{
		{"development", Options{Development: true}, ""},
		{"token", Options{Verifier: verifier}, authtest.Token(b, "ann", roles{"g": "editor", "*": "viewer"})},
	} {
		b.Run(gate.name, func(b *testing.B) {
			s := New(Services{}, gate.opts)
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:3000/api/v2/graphs/g/command", nil)
			r.RemoteAddr = "127.0.0.1:50000"
			r.Header.Set("X-Client-Id", "tab-1")
			if gate.token != "" {
				r.Header.Set("Authorization", "Bearer "+gate.token)
			}
			q := &query{}
			b.ReportAllocs()
			for b.Loop() {
				who, err := s.enter(r, q, "g", auth.Editor)
				if err != nil || who.UserID == "" {
					b.Fatal(who, err)
				}
			}
		})
	}
}
