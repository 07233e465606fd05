package auth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"graphy/transport/auth/authtest"
)

// TestRotation takes a key away: what it signed stops, kept or not, as soon as a token with the new one has come.
func TestRotation(t *testing.T) {
	keys := authtest.NewKeys(t)
	v := withKeys(t, keys)
	kept, fresh := keys.Token("ann", editor), keys.Token("bob", editor)
	accept(t, v, kept)
	keys.Rotate()
	accept(t, v, kept) // nobody can know yet
	accept(t, v, keys.Token("ann", editor))
	refuse(t, v, kept, ErrInvalid)
	refuse(t, v, fresh, ErrInvalid)
}

// TestNewKeyBesideOld publishes a second key: both are good, and neither is fetched for twice.
func TestNewKeyBesideOld(t *testing.T) {
	keys := authtest.NewKeys(t)
	v := withKeys(t, keys)
	old := keys.Token("ann", editor)
	accept(t, v, old)
	keys.Add()
	accept(t, v, keys.Token("ann", editor))
	accept(t, v, old)
	accept(t, v, keys.Token("bob", editor))
	if got := keys.Fetches(); got != 2 {
		t.Errorf("fetches: got %d, want 2", got)
	}
}

// TestEveryKeyTakenAway publishes an empty JWKS, as after a leak.
func TestEveryKeyTakenAway(t *testing.T) {
	keys := authtest.NewKeys(t)
	v := withKeys(t, keys)
	old := keys.Token("ann", editor)
	accept(t, v, old)
	keys.Publish()
	refuse(t, v, authtest.NewKeys(t).Token("eve", editor)+"x", ErrInvalid) // names key-1, which is known: no fetch
	accept(t, v, old)
	keys.Add()
	accept(t, v, keys.Token("ann", editor))
	refuse(t, v, old, ErrInvalid)
}

// TestRunRefreshes takes a key away while nobody sends a token with another: Run sees it within the time of a refresh.
func TestRunRefreshes(t *testing.T) {
	keys := authtest.NewKeys(t)
	synctest.Test(t, func(t *testing.T) {
		v := overWire(t, &wire{keys: keys})
		stop := run(t, v)
		defer stop()
		old := keys.Token("ann", editor)
		first := accept(t, v, old)
		time.Sleep(5 * time.Minute)
		if got := keys.Fetches(); got < 5 || got > 7 {
			t.Errorf("fetches in 5 minutes: got %d, want about 5", got)
		}
		if accept(t, v, old) != first {
			t.Error("a JWKS that did not change made kept tokens be verified anew")
		}
		keys.Rotate()
		time.Sleep(time.Minute)
		synctest.Wait()
		refuse(t, v, old, ErrInvalid)
	})
}

// TestUnknownKeysAreFetchedForSeldom sends made-up keys: a few fetches at once, then two a minute, and good tokens pass.
func TestUnknownKeysAreFetchedForSeldom(t *testing.T) {
	keys := authtest.NewKeys(t)
	forger := authtest.NewKeys(t)
	forger.Rotate() // its keys have ids that the others have not
	synctest.Test(t, func(t *testing.T) {
		v := overWire(t, &wire{keys: keys})
		good := keys.Token("ann", editor)
		accept(t, v, good)
		forged := forger.Token("eve", editor)
		for range 1000 {
			refuse(t, v, forged, ErrInvalid)
		}
		if got := keys.Fetches(); got != unknownBurst {
			t.Errorf("fetches: got %d, want %d", got, unknownBurst)
		}
		time.Sleep(time.Minute)
		for range 1000 {
			refuse(t, v, forged, ErrInvalid)
		}
		if got := keys.Fetches(); got != unknownBurst+2 {
			t.Errorf("fetches a minute later: got %d, want %d", got, unknownBurst+2)
		}
		accept(t, v, good)
	})
}

// run runs v until stop is called, which waits for it.
func run(t testing.TB, v *Verifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	}
}
