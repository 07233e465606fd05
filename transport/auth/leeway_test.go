package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"graphy/transport/auth/authtest"
)

// TestLeeway goes to both edges of each time that a token names, with a clock that is set.
func TestLeeway(t *testing.T) {
	at := func(name string, offset time.Duration, now time.Time) func(jwt.MapClaims) {
		return authtest.With(name, now.Add(offset).Unix())
	}
	for _, leeway := range []time.Duration{time.Second, 30 * time.Second, maxLeeway} {
		clock := newClock()
		v := newVerifier(t, Options{Secret: authtest.Secret, Leeway: leeway, Now: clock.Now})
		tests := []struct {
			name   string
			claim  string
			offset time.Duration
			want   error
		}{
			{"ended just within", "exp", -leeway + time.Second, nil},
			{"ended just beyond", "exp", -leeway, ErrExpired},
			{"begins just within", "nbf", leeway, nil},
			{"begins just beyond", "nbf", leeway + time.Second, ErrInvalid},
			{"issued just within", "iat", leeway, nil},
			{"issued just beyond", "iat", leeway + time.Second, ErrInvalid},
		}
		for _, test := range tests {
			_, err := v.Verify(t.Context(), token(t, at(test.claim, test.offset, clock.Now())))
			if !errors.Is(err, test.want) {
				t.Errorf("leeway %v, %s: got %v, want %v", leeway, test.name, err, test.want)
			}
		}
	}
}

// TestKeptTokensEnd checks one token as time passes: it is good to the last moment and not after.
func TestKeptTokensEnd(t *testing.T) {
	clock := newClock()
	v := newVerifier(t, Options{Secret: authtest.Secret, Leeway: 10 * time.Second, Now: clock.Now})
	token := token(t, authtest.Expires(clock.Now().Add(time.Minute)))
	first := accept(t, v, token)
	clock.Advance(70*time.Second - time.Nanosecond)
	if last := accept(t, v, token); last != first {
		t.Error("the token was verified anew")
	}
	clock.Advance(time.Nanosecond)
	refuse(t, v, token, ErrExpired)
}

// TestEarlyTokensAreNotKept checks that a token which was too early is good when its time has come.
func TestEarlyTokensAreNotKept(t *testing.T) {
	clock := newClock()
	v := newVerifier(t, Options{Secret: authtest.Secret, Now: clock.Now})
	token := token(t, authtest.With("nbf", clock.Now().Add(time.Minute).Unix()))
	refuse(t, v, token, ErrInvalid)
	clock.Advance(30 * time.Second)
	accept(t, v, token)
}
