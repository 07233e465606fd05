package transport

import (
	"context"
	"errors"
	"iter"
	"testing"

	"graphy/eventstore"
)

// forkedLog does not tell that a stream has begun anew, as after a failover that lost its end.
type forkedLog struct{ eventstore.Log }

func (l forkedLog) Tail(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		for event, err := range l.Log.Tail(ctx, stream, after) {
			if errors.Is(err, eventstore.ErrReset) {
				err = eventstore.ErrUnavailable
			}
			if !yield(event, err) {
				return
			}
		}
	}
}

// Versions alone do not tell one history from another: both peers stand at a version that the new one has too.
func TestI4AnotherHistoryIsAReset(t *testing.T) {
	s := newStage(t)
	s.server.services.Live = forkedLog{s.log}
	s.commands.move(t, "g", 3)
	p, lines := s.join(t, "g", ""), s.join(t, "g", "batch=true")
	if err := s.commands.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.commands.move(t, "g", 6)
	for _, p := range []*peer{p, lines} {
		if m := p.expect("sync"); m.Status != string(reset) || m.State == nil {
			t.Errorf("got %s, want a reset", m.raw)
		}
		p.reach(s.commands.position("g"))
	}
	s.commands.move(t, "g", 6)
	p.reach(s.commands.position("g"))
}
