package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

const (
	// unknownEvery and unknownBurst bound the fetches that tokens with unknown keys can cause: who rotates keys is seen at
	// once, who makes keys up costs two fetches a minute.
	unknownEvery = 30 * time.Second
	unknownBurst = 5

	firstRetry = time.Second
	maxRetry   = 30 * time.Second
)

// jwks keeps the keys of a JWKS at hand.
type jwks struct {
	url     string
	client  *http.Client
	timeout time.Duration
	refresh time.Duration
	logger  *zap.Logger
	now     func() time.Time

	current atomic.Pointer[keyset] // nil: there were none yet
	failing atomic.Bool            // the last fetch did
	unknown *rate.Limiter
	flight  singleflight.Group
}

func newJWKS(opts Options) *jwks {
	return &jwks{
		url: opts.JWKSURL, client: withoutRedirects(opts.Client), timeout: opts.Timeout, refresh: opts.Refresh,
		logger: opts.Logger, now: opts.Now,
		unknown: rate.NewLimiter(rate.Every(unknownEvery), unknownBurst),
	}
}

// run fetches the keys ahead of need until ctx is done; sooner again where that fails.
func (j *jwks) run(ctx context.Context) {
	retry := firstRetry
	for {
		wait := j.refresh
		if err := j.fetch(ctx, nil); err != nil {
			wait, retry = min(retry, j.refresh), min(2*retry, maxRetry)
		} else {
			retry = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait - rand.N(wait/5+1)): // many processes do not ask at once
		}
	}
}

// find returns the keys that may have signed a token, and the set they are of. It fetches the JWKS where the token's key is
// not known, unless that was done often of late.
func (j *jwks) find(ctx context.Context, alg, id string) (*keyset, []jwt.VerificationKey, error) {
	set, fit, known := j.look(alg, id)
	var failed bool
	if !known {
		err := j.fetch(ctx, j.unknown)
		failed = err != nil && (!errors.Is(err, errSoon) || j.failing.Load())
		set, fit, _ = j.look(alg, id)
	}
	switch {
	case len(fit) > 0:
		return set, fit, nil
	case failed: // it may be a new key
		return nil, nil, ErrUnavailable
	}
	return nil, nil, errUntrusted
}

func (j *jwks) look(alg, id string) (*keyset, []jwt.VerificationKey, bool) {
	set := j.current.Load()
	if set == nil {
		return nil, nil, false
	}
	fit, known := set.find(alg, id)
	return set, fit, known
}

// errSoon is for a fetch that was not begun.
var errSoon = errors.New("the JWKS was fetched often of late")

// fetch replaces the keys by those of the JWKS, or leaves them if it fails. Callers at the same time share one fetch, which
// goes on for the others when one of them leaves. Only the one that begins it is counted by limit, if there is one.
func (j *jwks) fetch(ctx context.Context, limit *rate.Limiter) error {
	done := j.flight.DoChan("", func() (any, error) {
		if limit != nil && !limit.AllowN(j.now(), 1) {
			return nil, errSoon
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.timeout)
		defer cancel()
		err := j.replace(limited)
		j.failing.Store(err != nil)
		if err != nil {
			j.logger.Warn("the keys of tokens could not be fetched; those known last stay good", zap.Error(err))
		}
		return nil, err
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-done:
		return result.Err
	}
}

func (j *jwks) replace(ctx context.Context) error {
	data, err := fetch(ctx, j.client, j.url)
	if err != nil {
		return fmt.Errorf("fetch the JWKS: %w", err)
	}
	set, leftOut, err := parseKeyset(data)
	if err != nil {
		return fmt.Errorf("read the JWKS: %w", err)
	}
	if old := j.current.Load(); old != nil && old.sum == set.sum {
		return nil
	}
	j.current.Store(set)
	j.logger.Info("the keys of tokens are new", zap.Int("keys", len(set.keys)), zap.Errors("leftOut", leftOut))
	return nil
}
