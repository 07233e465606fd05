package transport

import (
	"context"
	"iter"
	"testing"

	"graphy/eventstore"
)

func TestI4DeliverOnlyWhatFollows(t *testing.T) {
	at := func(version eventstore.Version, hash eventstore.Hash) eventstore.Position {
		return eventstore.Position{Version: version, Hash: hash}
	}
	tests := []struct {
		name            string
		session         eventstore.Position
		frames          int // on the way already
		sent, delivered bool
		instead         ask
	}{
		{name: "it follows", session: at(4, "d"), sent: true, delivered: true},
		{name: "it is there already", session: at(5, "e"), delivered: true},
		{name: "it is ahead", session: at(9, "i"), delivered: true},
		{name: "another history", session: at(4, "x"), instead: ask{status: reset}},
		{name: "another history, same version", session: at(5, "x"), instead: ask{status: reset}},
		{name: "a hole", session: at(3, "c"), instead: ask{status: reset}},
		{name: "too much on the way", session: at(4, "d"), frames: liveFrames,
			instead: ask{known: true, version: 4, hash: "d", hashed: true}},
	}
	for _, test := range tests {
		o := outbox{at: test.session, frames: test.frames} // melody is handed nothing
		instead, ok := o.deliver(at(4, "d"), at(5, "e"), []byte("frame"))
		if ok != test.delivered || instead != test.instead || (len(o.queue) == 1) != test.sent {
			t.Errorf("%s: got %+v, %v, %d frames sent", test.name, instead, ok, len(o.queue))
		}
		if test.sent != (o.at != test.session) {
			t.Errorf("%s: it stands at %+v", test.name, o.at)
		}
	}
}

// forkedLog gives out, from version fork on, another history than was appended, as after a failover that lost the end.
type forkedLog struct {
	eventstore.Log
	fork eventstore.Version
}

func (l forkedLog) Tail(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		for event, err := range l.Log.Tail(ctx, stream, after) {
			if err == nil && event.Version == l.fork {
				event.Hash = "00000000000000000000000000000000"
			}
			if !yield(event, err) {
				return
			}
		}
	}
}

func TestI4AnotherHistoryIsAReset(t *testing.T) {
	s := newStage(t)
	s.server.services.Log = forkedLog{s.log, 3}
	s.commands.move(t, "g", 1)
	p := s.join(t, "g", "")
	s.commands.move(t, "g", 2)
	if m := p.expect("sync"); m.Status != string(reset) || m.State == nil {
		t.Errorf("got %s, want a reset", m.raw)
	}
	p.reach(s.commands.position("g"))
}
