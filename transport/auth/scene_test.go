package auth

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"graphy/transport/auth/authtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

func newVerifier(t testing.TB, opts Options) *Verifier {
	t.Helper()
	v, err := New(opts)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return v
}

func withSecret(t testing.TB) *Verifier {
	t.Helper()
	return newVerifier(t, Options{Secret: authtest.Secret})
}

func withKeys(t testing.TB, keys *authtest.Keys) *Verifier {
	t.Helper()
	return newVerifier(t, Options{JWKSURL: keys.URL})
}

// accept verifies a token that is good.
func accept(t testing.TB, v *Verifier, token string) *Principal {
	t.Helper()
	p, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("Verify: got %v, want a principal", err)
	}
	return p
}

// refuse verifies a token that is not, twice: a second check must not know it from the first.
func refuse(t testing.TB, v *Verifier, token string, want error) {
	t.Helper()
	for check := range 2 {
		if p, err := v.Verify(t.Context(), token); p != nil || !errors.Is(err, want) {
			t.Errorf("Verify, check %d: got %+v, %v, want %v", check+1, p, err, want)
		}
	}
}

var editor = map[string]string{"g": "editor"}

// token returns a token of ann, an editor of g, with claims changed by opts.
func token(t testing.TB, opts ...func(jwt.MapClaims)) string {
	t.Helper()
	return authtest.Token(t, "ann", editor, opts...)
}
