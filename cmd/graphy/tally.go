package main

import (
	"context"
	"errors"
	"fmt"

	"graphy/transport"
)

// tally is what the act has come to so far.
type tally struct {
	done, total int
	events      int64
	after       string // this graph and all before it are done
	failed      []transport.Failed
	wrong       int
	refused     int
	outcomes    map[string]int
}

// verdict is what the act ends with.
func (t *tally) verdict(ctx context.Context, a *act, err error, args []string) error {
	var exit *exitError
	switch {
	case err != nil && (ctx.Err() != nil || t.done > 0):
		what := err.Error()
		code := codeOf(err)
		if ctx.Err() != nil {
			what, code = errInterrupted.Error(), exitInterrupted
		}
		return &exitError{code, fmt.Errorf("%s after %s; go on with: %s", what, t.reached(), again(a.cmd, args, t.after))}
	case err != nil && errors.As(err, &exit):
		return exit
	case err != nil:
		return err
	case len(t.failed) == 1 && len(t.outcomes) == 0: // the only graph
		return &exitError{code: codeOf(problemOf(&t.failed[0].Error))}
	case t.refused > 0 && t.refused == t.reports():
		return &exitError{code: exitRefused}
	case len(t.failed) > 0 || t.wrong > 0:
		return &exitError{code: exitWrong}
	}
	return nil
}

// reached says how far the act came.
func (t *tally) reached() string {
	if t.total > t.done {
		return fmt.Sprintf("%d of %d graphs", t.done, t.total)
	}
	return plural(t.done, "graph", "graphs")
}

// reports returns how many graphs were reported.
func (t *tally) reports() int {
	sum := len(t.failed)
	for _, count := range t.outcomes {
		sum += count
	}
	return sum
}
