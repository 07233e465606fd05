package main

import (
	"context"
	"errors"
	"net/http"
)

// The exit codes of graphy, as `graphy help exit-codes` tells them.
const (
	exitDone        = 0
	exitWrong       = 1 // what was asked for is done, and something is not as it should be; or it failed
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
	exitWarnings    = 5
	exitInterrupted = 130
)

// exitCodesHelp is the text of `graphy help exit-codes`.
const exitCodesHelp = `Every command of graphy ends with one of these exit codes:

    0  Done, and nothing is wrong.
    1  Something is wrong: verify found mismatches, a dry run of rebuild found damage, doctor has an error, the
       histories of two graphs part, some of several graphs failed; or the command itself failed.
    2  Wrong usage: a flag, an argument or a variable is not what the command takes, or --yes is missing where nobody
       can be asked. Nothing was done.
    3  Out of reach: no server, or no Redis, answers, or it is too busy. The same command may succeed later.
    4  Refused: there is no such graph (404), this is not allowed (401, 403), something else is there already or stands
       in the way (409, 422), or the answer to a question was not yes. Nothing was done to what the refusal names.
    5  doctor has warnings, and no errors.
  130  Interrupted by Ctrl-C or a signal. What was under way was given up without harm; the last line says how far it
       came and how to go on. (serve and watch, which are meant to be ended so, end with 0.)

Reports are on standard output also where the exit code is not 0; progress, notes and errors are on standard error.`

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error // nil: all is said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is a mistake of the caller that shows only when a command runs.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errInterrupted is what a command ends with whose context was cancelled.
var errInterrupted = errors.New("interrupted")

// codeOf returns the exit code for what a command ended with.
func codeOf(err error) int {
	var (
		exit     *exitError
		usage    usageError
		problem  *problemError
		lost     *lostError
		panicked *panicError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &panicked):
		return exitWrong
	case errors.As(err, &lost):
		return exitUnreachable
	case errors.As(err, &problem):
		return problem.exitCode()
	}
	return exitWrong
}

// exitCode returns the exit code for a refusal by the server.
func (e *problemError) exitCode() int {
	switch {
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusBadGateway,
		e.Status == http.StatusServiceUnavailable, e.Status == http.StatusGatewayTimeout:
		return exitUnreachable
	case e.Status >= 500:
		return exitWrong
	case e.Status == http.StatusBadRequest:
		return exitUsage
	}
	return exitRefused
}
