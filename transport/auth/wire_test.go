package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"

	"graphy/transport/auth/authtest"
)

// wire is a network to a JWKS that can be cut and held up, inside a bubble of synctest.
type wire struct {
	keys *authtest.Keys
	gate chan struct{} // nil: open; else one answer passes for each value, all when it is closed
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.gate != nil {
		select {
		case <-w.gate:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	answer := httptest.NewRecorder()
	w.keys.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// overWire returns a verifier that fetches the JWKS over w.
func overWire(t testing.TB, w *wire) *Verifier {
	t.Helper()
	return newVerifier(t, Options{JWKSURL: "https://id.example/jwks", Client: &http.Client{Transport: w}, Logger: zap.NewNop()})
}

func down(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "down", http.StatusServiceUnavailable)
}
