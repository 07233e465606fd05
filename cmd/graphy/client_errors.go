package main

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// problemError is a refusal by the server (application/problem+json).
type problemError struct {
	Status int            `json:"status"`
	Code   string         `json:"code"`
	Title  string         `json:"title"`
	Detail string         `json:"detail"`
	Errors []problemField `json:"errors"`

	retryAfter time.Duration // 0: the server names none
}

// problemField is one place in the request that is wrong.
type problemField struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (e *problemError) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Code))
	for _, part := range []string{e.Detail, e.Title} {
		if part != "" {
			text += ": " + part
			break
		}
	}
	for i, field := range e.Errors {
		if i == 5 {
			return fmt.Sprintf("%s; and %d more", text, len(e.Errors)-i)
		}
		text += fmt.Sprintf("; %s: %s", field.Pointer, field.Detail)
	}
	return text
}

// lostError is a request without an answer: it may have been carried out or not.
type lostError struct{ cause error }

func (e *lostError) Error() string { return "no answer: " + e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }

const maxProblemBytes = 1 << 20

// readProblem makes an error of an answer that is none of success, whoever has sent it.
func readProblem(response *http.Response) error {
	problem := &problemError{}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes))
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "application/problem+json" || json.Unmarshal(body, problem) != nil {
		problem = &problemError{Title: http.StatusText(response.StatusCode)}
	}
	problem.Status = response.StatusCode
	problem.retryAfter = retryAfter(response.Header.Get("Retry-After"), time.Now())
	return problem
}

// retryAfter reads the header, which holds seconds or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
