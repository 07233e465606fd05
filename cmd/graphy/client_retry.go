package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// retrier calls again what may succeed later. Calls must be safe to repeat: each carries its operation id.
type retrier struct {
	patience time.Duration // longest wait in all, for one call
	wait     func(context.Context, time.Duration) error
	notify   func(err error, next time.Duration)
}

const (
	firstDelay = 200 * time.Millisecond
	maxDelay   = 10 * time.Second
)

// do calls until there is an answer that stands, patience ends, or ctx is done.
func (r *retrier) do(ctx context.Context, call func() error) error {
	delay, waited := firstDelay, time.Duration(0)
	for {
		err := call()
		if err == nil || !passing(err) {
			return err
		}
		next := delay/2 + rand.N(delay/2+1)
		if problem := (*problemError)(nil); errors.As(err, &problem) && problem.retryAfter > 0 {
			next = problem.retryAfter
		}
		if waited += next; waited > r.patience {
			return fmt.Errorf("gave up waiting for the server: %w", err)
		}
		if r.notify != nil {
			r.notify(err, next)
		}
		if err := r.wait(ctx, next); err != nil {
			return err
		}
		delay = min(2*delay, maxDelay)
	}
}

// passing tells whether the same call may succeed later.
func passing(err error) bool {
	if lost := (*lostError)(nil); errors.As(err, &lost) {
		return true
	}
	problem := (*problemError)(nil)
	if !errors.As(err, &problem) {
		return false
	}
	switch problem.Status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// waitFor returns after d, or with ctx's error.
func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
