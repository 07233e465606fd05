package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"graphy/transport/auth/authtest"
)

// TestDownAtStart starts while the JWKS is away: nobody can be judged; then, without a restart, everybody.
func TestDownAtStart(t *testing.T) {
	keys := authtest.NewKeys(t)
	keys.Answer(down)
	synctest.Test(t, func(t *testing.T) {
		v := overWire(t, &wire{keys: keys})
		defer run(t, v)()
		for range 2 * unknownBurst {
			refuse(t, v, keys.Token("ann", editor), ErrUnavailable)
		}
		if err := v.Ready(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Ready without keys: got %v, want ErrUnavailable", err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := keys.Fetches(); got < 20 || got > 50 {
			t.Errorf("fetches in 10 minutes: got %d, want one in 30 seconds and some", got)
		}
		keys.Answer(nil)
		time.Sleep(maxRetry)
		synctest.Wait()
		accept(t, v, keys.Token("ann", editor))
		keys.Answer(down)
		time.Sleep(maxRetry + time.Minute)
		if err := v.Ready(); err != nil {
			t.Errorf("Ready with keys: got %v, want nil", err)
		}
	})
}

// TestBothWithoutJWKS checks that tokens of the secret do not wait for a JWKS that is away.
func TestBothWithoutJWKS(t *testing.T) {
	keys := authtest.NewKeys(t)
	keys.Answer(down)
	v := newVerifier(t, Options{Secret: authtest.Secret, JWKSURL: keys.URL})
	accept(t, v, token(t))
	if err := v.Ready(); err != nil {
		t.Errorf("Ready: got %v, want nil", err)
	}
	if got := keys.Fetches(); got != 0 {
		t.Errorf("fetches: got %d, want none", got)
	}
}

// TestBadAnswers has the JWKS answer what is none, at the start and later: old keys stay good, and a key that is not known
// cannot be judged.
func TestBadAnswers(t *testing.T) {
	evil := authtest.NewKeys(t)
	evil.Rotate()
	answers := map[string]http.HandlerFunc{
		"down":       down,
		"not found":  http.NotFound,
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"a part": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write([]byte(`{"keys":[]}`))
		},
		"a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"a huge set": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[]}` + strings.Repeat(" ", maxJWKS)))
		},
		"half a set": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"keys":[]}`))
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL, http.StatusFound) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			keys := authtest.NewKeys(t)
			v := withKeys(t, keys)
			keys.Answer(answer)
			refuse(t, v, keys.Token("ann", editor), ErrUnavailable)
			refuse(t, v, evil.Token("eve", editor), ErrUnavailable)
			keys.Answer(nil)
			accept(t, v, keys.Token("ann", editor))

			v = withKeys(t, keys) // with all its fetches to spend
			accept(t, v, keys.Token("ann", editor))
			keys.Answer(answer)
			accept(t, v, keys.Token("bob", editor))
			refuse(t, v, evil.Token("eve", editor), ErrUnavailable)
			accept(t, v, keys.Token("ann", editor))
		})
	}
	if got := evil.Fetches(); got != 0 {
		t.Errorf("%d redirects were followed", got)
	}
}

// TestNobodyListens points at a port that is closed.
func TestNobodyListens(t *testing.T) {
	v := newVerifier(t, Options{JWKSURL: "http://127.0.0.1:1/jwks"})
	refuse(t, v, authtest.NewKeys(t).Token("ann", editor), ErrUnavailable)
}

// TestSlowJWKS has an answer take for ever: tokens of known keys do not wait, others no longer than the limit or their own.
func TestSlowJWKS(t *testing.T) {
	keys := authtest.NewKeys(t)
	synctest.Test(t, func(t *testing.T) {
		wire := &wire{keys: keys}
		v := overWire(t, wire)
		accept(t, v, keys.Token("ann", editor))
		wire.gate = make(chan struct{})
		keys.Add()
		fresh := keys.Token("ann", editor)

		begun := time.Now()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := v.Verify(impatient, fresh)
		if took := time.Since(begun); !errors.Is(err, ErrUnavailable) || took != time.Second {
			t.Errorf("with a second: got %v after %v, want ErrUnavailable after 1s", err, took)
		}
		_, err = v.Verify(t.Context(), fresh)
		if took := time.Since(begun); !errors.Is(err, ErrUnavailable) || took != 5*time.Second {
			t.Errorf("without a limit: got %v after %v, want ErrUnavailable after 5s", err, took)
		}
		close(wire.gate)
		accept(t, v, fresh)
	})
}

// TestOneFetchAtATime has many tokens come with a new key at once: they share one fetch.
func TestOneFetchAtATime(t *testing.T) {
	keys := authtest.NewKeys(t)
	synctest.Test(t, func(t *testing.T) {
		wire := &wire{keys: keys, gate: make(chan struct{})}
		v := overWire(t, wire)
		token := keys.Token("ann", editor)
		const callers = 10 * unknownBurst
		results := make(chan error, callers)
		for range callers {
			go func() {
				_, err := v.Verify(t.Context(), token)
				results <- err
			}()
		}
		synctest.Wait() // all are waiting
		close(wire.gate)
		for range callers {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if got := keys.Fetches(); got != 1 {
			t.Errorf("fetches: got %d, want 1", got)
		}
	})
}
