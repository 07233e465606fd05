package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

// The undo row's user, whose steps stand above all that another one has done to the graph.
const (
	undoQuery  = "?userId=undoer"
	undoStarts = 5 // of a process; their median counts
)

// turn is what the user does over and over.
type turn int

const (
	moveTurn turn = iota
	undoTurn
	redoTurn
	turns
)

// undoRow: one user moves a node, undoes it and redoes it, over and over, one request at a time. Before that, while nearly
// all of the log is another's, the same as the first thing that a process which has just started is asked for.
func undoRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.preparePast(ctx); err != nil {
		return nil, err
	}
	first, err := l.firstTurns(ctx)
	if err != nil {
		return nil, err
	}
	rounds := make([]round, turns)
	for counted := range turns {
		rounds[counted] = round{workers: []worker{stepping(l.graphyAddr, counted)}, processes: l.subjects()}
	}
	medians, err := l.compare(ctx, rounds...)
	if err != nil {
		return nil, err
	}
	move := medians[moveTurn]
	times := func(s sample) string {
		return fmt.Sprintf("%.1f times a command by p50", float64(s.p50)/float64(move.p50))
	}
	spans := func(s sample) string { return "p50 " + millis(s.p50) + ", p99 " + millis(s.p99) }
	return []line{
		{what: fmt.Sprintf("command over HTTP, one user, on a log of %s events of another", thousands(pastEvents)), figure: spans(move)},
		{what: "undo of it", figure: spans(medians[undoTurn]), ratio: times(medians[undoTurn])},
		{what: "redo of that", figure: spans(medians[redoTurn]), ratio: times(medians[redoTurn])},
		{what: "first command on that graph in a process that has just started", figure: millis(first[moveTurn])},
		{what: "first undo there, of a step of before", figure: millis(first[undoTurn]),
			ratio: fmt.Sprintf("%.1f times the first command", float64(first[undoTurn])/float64(first[moveTurn]))},
	}, nil
}

// stepping is a worker that takes its turns and counts one kind of them.
func stepping(addr string, counted turn) worker {
	return func(ctx context.Context, r *recorder) error {
		conn, err := dialHTTP(ctx, addr)
		if err != nil {
			return err
		}
		defer conn.conn.Close()
		m := newMover(pastNodes)
		for ctx.Err() == nil {
			for what := range turns {
				took, err := take(conn, m, what, "")
				if err != nil {
					return err
				}
				if what == counted {
					r.done(took)
				}
			}
		}
		return nil
	}
}

// take takes one turn, with more of a query, and returns how long the answer took.
func take(conn *httpConn, m *mover, what turn, more string) (time.Duration, error) {
	now := time.Now()
	path, body := "/command", []byte(nil)
	switch what {
	case moveTurn:
		body = m.body(nil, now)
	case undoTurn:
		path, body = "/undo", []byte(`{}`)
	case redoTurn:
		path, body = "/redo", []byte(`{}`)
	}
	request := appendPost(nil, apiPrefix+pastGraph+path+undoQuery+more, body)
	status, answer, err := conn.exchange(request)
	if err == nil && status != 202 && status != 200 {
		err = fmt.Errorf("%s: status %d: %.300s", path, status, answer)
	}
	return time.Since(now), err
}

// firstTurns returns how long a command and an undo take as the first thing that a process of graphy is asked for: the
// medians of several processes.
func (l *lab) firstTurns(ctx context.Context) (medians [2]time.Duration, err error) {
	var all [2][]time.Duration
	for i := range undoStarts {
		for _, what := range []turn{moveTurn, undoTurn} {
			took, err := l.firstTurn(ctx, "graphy-"+strconv.Itoa(2*i+int(what)), what)
			if err != nil {
				return medians, err
			}
			all[what] = append(all[what], took)
			fmt.Fprintf(os.Stderr, "  first %s\n", millis(took))
		}
	}
	return [2]time.Duration{quantile(all[moveTurn], 0.5), quantile(all[undoTurn], 0.5)}, nil
}

func (l *lab) firstTurn(ctx context.Context, name string, what turn) (time.Duration, error) {
	m := newMover(pastNodes)
	before, err := dialHTTP(ctx, l.graphyAddr)
	if err != nil {
		return 0, err
	}
	defer before.conn.Close()
	if _, err := take(before, m, moveTurn, "&wait=completed"); err != nil {
		return 0, err
	}
	process, addr, _, err := l.serve(ctx, name)
	if err != nil {
		return 0, err
	}
	defer l.retire(process)
	l.settle(ctx, append(l.subjects(), process))
	conn, err := dialHTTP(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer conn.conn.Close()
	return take(conn, m, what, "")
}
