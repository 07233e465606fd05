package transport

import (
	"context"
	"errors"
	"strconv"

	"graphy/eventstore"
)

// deltaStatus says how a client's history relates to the log's (API.md, changes).
type deltaStatus string

const (
	inSync      deltaStatus = "in_sync"
	behind      deltaStatus = "behind"
	conflicting deltaStatus = "conflict" // the client holds a history that is not the log's
	reset       deltaStatus = "reset"    // the log no longer reaches back to the client's version
)

// delta is what leads from a client's version on.
type delta struct {
	status  deltaStatus
	from    eventstore.Position // where the client stands, if it is behind
	events  []eventstore.Event
	updates [][]byte            // state_update frames, in the place of events
	last    eventstore.Position // of the last of them, else where the client stands
	current eventstore.Version  // the log's head
}

// deltaLog is what a delta is read from: the log, or the newest events kept of it.
type deltaLog interface {
	Read(ctx context.Context, graph string, after eventstore.Version, limit int) ([]eventstore.Event, error)
	Head(ctx context.Context, graph string) (eventstore.Position, error)
}

// readDelta compares a client's history with the log's. In most cases it is one read, which begins at the client's own
// version: that entry proves that the version exists and has its hash, and a page that is not full ends at the head.
func readDelta(ctx context.Context, log deltaLog, request changesRequest) (delta, error) {
	known, fetch := eventstore.Position{}, request.limit+1
	after := request.since
	if request.since > 0 {
		after, fetch = request.since-1, fetch+1
	}
	page, err := log.Read(ctx, request.graph, after, fetch)
	if errors.Is(err, eventstore.ErrTrimmed) {
		return withHead(ctx, log, request, delta{status: reset})
	}
	if err != nil {
		return delta{}, err
	}
	full := len(page) == fetch
	if request.since > 0 {
		if len(page) == 0 {
			return readAhead(ctx, log, request)
		}
		known, page = page[0].Position(), page[1:]
	}
	if request.hasHash && request.hash != known.Hash {
		return withHead(ctx, log, request, delta{status: conflicting})
	}
	d := delta{status: inSync, last: known, current: known.Version}
	if len(page) == 0 {
		return d, nil
	}
	if err := verifyEnd(request.graph, known, page); err != nil {
		return delta{}, err
	}
	d.status, d.from = behind, known
	d.current = page[len(page)-1].Version
	d.events = page[:min(len(page), request.limit)]
	d.last = d.events[len(d.events)-1].Position()
	if full {
		return withHead(ctx, log, request, d)
	}
	return d, nil
}

// verifyLinks is how many of the newest events of a delta are held against the chain of hashes. What somebody else
// writes into a stream stands at its end, since an append demands the head that it expects; the whole chain is
// verified where a log is loaded.
const verifyLinks = 8

// verifyEnd checks the newest of events, which follow from.
func verifyEnd(graph string, from eventstore.Position, events []eventstore.Event) error {
	if skip := len(events) - verifyLinks; skip > 0 {
		from, events = events[skip-1].Position(), events[skip:]
	}
	return eventstore.VerifyChain(graph, from, events)
}

// readAhead judges a client whose version the log does not have: it is ahead, unless the log has just come that far.
func readAhead(ctx context.Context, log deltaLog, request changesRequest) (delta, error) {
	head, err := log.Head(ctx, request.graph)
	if err != nil {
		return delta{}, err
	}
	if head.Version >= request.since && ctx.Err() == nil {
		return readDelta(ctx, log, request)
	}
	return delta{status: conflicting, current: head.Version}, nil
}

// withHead adds the log's head to a delta that does not reach it.
func withHead(ctx context.Context, log deltaLog, request changesRequest, d delta) (delta, error) {
	head, err := log.Head(ctx, request.graph)
	d.current = max(d.current, head.Version)
	return d, err
}

// append appends the answer to changes.
func (d delta) append(dst []byte) []byte {
	dst = append(append(append(dst, `{"status":"`...), d.status...), `","changes":[`...)
	for i, event := range d.events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendChange(dst, event)
	}
	for i, frame := range d.updates {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendChangeOf(dst, frame)
	}
	return d.appendEnd(append(dst, ']'))
}

// appendEnd appends what follows the changes.
func (d delta) appendEnd(dst []byte) []byte {
	dst = appendNumber(dst, "currentVersion", int64(d.current))
	dst = appendText(dst, "hash", string(d.last.Hash))
	dst = strconv.AppendBool(appendName(dst, "hasMore"), d.last.Version < d.current)
	return append(dst, '}')
}
