package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{"": 0, "2": 2 * time.Second, "-1": 0, "soon": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", header, got, want)
		}
	}
}

func TestProblemErrorNamesTheFirstPlaces(t *testing.T) {
	err := &problemError{Status: 422, Code: "invalid-payload", Title: "invalid payload"}
	for range 7 {
		err.Errors = append(err.Errors, problemField{"/p", "bad"})
	}
	if got := err.Error(); !strings.HasPrefix(got, "422 invalid-payload: invalid payload; /p: bad") || !strings.HasSuffix(got, "and 2 more") {
		t.Errorf("got %q", got)
	}
}

func TestPassing(t *testing.T) {
	for status, want := range map[int]bool{400: false, 401: false, 409: false, 413: false, 429: true, 500: true, 502: true, 503: true, 504: true} {
		if got := passing(&problemError{Status: status}); got != want {
			t.Errorf("status %d: got %v, want %v", status, got, want)
		}
	}
}
