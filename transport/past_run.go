package transport

import (
	"context"
	"fmt"

	"graphy/eventstore"
	"graphy/projection"
)

// runPage is how many events a run reads at a time.
const runPage = 500

// run gathers the net change of consecutive events of one graph. Its memory is bounded by the entities that they touch
// and by a page of them.
type run struct {
	graph    string
	at       eventstore.Position // of the last event, to begin with of what comes before the first
	net      projection.Net
	checksum string // of the state after the last event
}

// add goes on with events. They follow what is there, or the error is an ErrBroken.
func (r *run) add(events []eventstore.Event) error {
	if err := eventstore.VerifyChain(r.graph, r.at, events); err != nil {
		return err
	}
	for i := range events {
		event, err := projection.DecodeEvent(events[i].Data)
		if err != nil {
			return fmt.Errorf("net change of %q at version %d: %w", r.graph, events[i].Version, err)
		}
		r.net.Add(event.Changes)
		r.at, r.checksum = events[i].Position(), event.Checksum
	}
	return nil
}

// readTo goes on with what log holds up to and with version to.
func (r *run) readTo(ctx context.Context, log eventstore.Log, to eventstore.Version) error {
	for r.at.Version < to {
		page, err := log.Read(ctx, r.graph, r.at.Version, int(min(to-r.at.Version, runPage)))
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && len(page) == 0 {
			err = &eventstore.ChainError{Stream: r.graph, Version: r.at.Version + 1, Reason: "the log ends before it"}
		}
		if err == nil {
			err = r.add(page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
