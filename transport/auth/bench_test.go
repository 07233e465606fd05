package auth

import (
	"fmt"
	"net/http"
	"testing"

	"graphy/transport/auth/authtest"
)

// BenchmarkFirstCheck verifies tokens that were never seen, by the algorithm.
func BenchmarkFirstCheck(b *testing.B) {
	s := newSigners(b)
	keys := authtest.NewKeys(b)
	keys.Publish(s.set...)
	v := newVerifier(b, Options{Secret: authtest.Secret, JWKSURL: keys.URL})
	tokens := map[string]string{"HS256": authtest.Token(b, "ann", editor)}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		tokens[alg] = s.sign(b, alg, keyOf(alg))
	}
	for alg, token := range tokens {
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.kept.InvalidateAll()
				accept(b, v, token)
			}
		})
	}
}

// BenchmarkForged refuses tokens with a wrong signature: what a flood of them costs.
func BenchmarkForged(b *testing.B) {
	v := withSecret(b)
	token := authtest.Token(b, "ann", editor) + "x"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err == nil {
			b.Fatal("a forged token is believed")
		}
	}
}

// BenchmarkLaterCheck is what each request after the first pays: the token, and the role on one graph. It must stay under
// 3 µs.
func BenchmarkLaterCheck(b *testing.B) {
	keys := authtest.NewKeys(b)
	v := newVerifier(b, Options{Secret: authtest.Secret, JWKSURL: keys.URL, Client: http.DefaultClient})
	for _, graphs := range []int{1, 20, 100} {
		grants := map[string]string{}
		for i := range graphs {
			grants[fmt.Sprintf("graph-%03d", i)] = "editor"
		}
		for name, token := range map[string]string{"HS256": authtest.Token(b, "ann", grants), "ES256": keys.Token("ann", grants)} {
			b.Run(fmt.Sprintf("%s/graphs=%d/bytes=%d", name, graphs, len(token)), func(b *testing.B) {
				accept(b, v, token)
				b.ReportAllocs()
				for b.Loop() {
					p, err := v.Verify(b.Context(), token)
					if err != nil || p.Role("graph-000") < Editor {
						b.Fatal(p, err)
					}
				}
			})
		}
	}
}

// BenchmarkLaterCheckParallel is BenchmarkLaterCheck for many callers with a token each.
func BenchmarkLaterCheckParallel(b *testing.B) {
	v := withSecret(b)
	tokens := make([]string, 1024)
	for i := range tokens {
		tokens[i] = authtest.Token(b, fmt.Sprintf("user-%d", i), editor)
		accept(b, v, tokens[i])
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := v.Verify(b.Context(), tokens[i%len(tokens)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
