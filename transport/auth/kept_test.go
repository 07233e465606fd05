package auth

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"graphy/transport/auth/authtest"
)

// TestKeptTokensAreShared checks a token twice, and one that differs from it in nothing but its bytes.
func TestKeptTokensAreShared(t *testing.T) {
	v := withSecret(t)
	one := token(t)
	if first := accept(t, v, one); accept(t, v, one) != first {
		t.Error("a kept token was verified anew")
	}
	other := authtest.SignWith(t, jwt.SigningMethodHS256, []byte(authtest.Secret), map[string]any{"kid": "x"}, authtest.Claims("bob", editor))
	if got := accept(t, v, other); got.User != "bob" {
		t.Errorf("got %q, want bob", got.User)
	}
}

// TestKeptTokensAreBounded verifies more tokens than can be kept.
func TestKeptTokensAreBounded(t *testing.T) {
	v := withSecret(t)
	padding := authtest.With("padding", strings.Repeat("x", 4<<10))
	for i := range maxKept / (8 << 10) {
		accept(t, v, token(t, padding, authtest.With("jti", i)))
	}
	v.kept.CleanUp()
	if got := v.kept.WeightedSize(); got > maxKept || got < maxKept/2 {
		t.Errorf("kept: got %d bytes, want at most %d, and not much less", got, maxKept)
	}
}

// TestVerifyWhileKeysRotate hammers one token of each key while keys come and go: once a key is known to be gone, no check
// that begins then lets its token pass, whatever is kept.
func TestVerifyWhileKeysRotate(t *testing.T) {
	keys := authtest.NewKeys(t)
	v := withKeys(t, keys)
	for range 20 {
		token := keys.Token("ann", editor)
		accept(t, v, token)
		var gone, stop atomic.Bool
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for !stop.Load() {
					late := gone.Load()
					if p, err := v.Verify(t.Context(), token); late && err == nil {
						t.Errorf("the key is gone, and its token speaks for %s", p.User)
						return
					}
				}
			})
		}
		keys.Rotate()
		if err := v.keys.fetch(t.Context(), nil); err != nil {
			t.Error(err)
		}
		gone.Store(true)
		accept(t, v, keys.Token("bob", editor))
		stop.Store(true)
		callers.Wait()
	}
}
