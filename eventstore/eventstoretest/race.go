package eventstoretest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"graphy/eventstore"
)

const (
	appenders = 8
	rounds    = 25
)

// versionsWithoutHole lets appenders race, each deciding anew when it has lost: every update is there, none twice.
func versionsWithoutHole(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	var wg sync.WaitGroup
	for appender := range appenders {
		wg.Go(func() {
			for round := range rounds {
				if err := appendAtHead(ctx, log, "g", fmt.Sprintf(`{"appender":%d,"round":%d}`, appender, round), 1+round%3); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, event := range all(t, log, "g") {
		seen[string(event.Data)]++
	}
	for appender := range appenders {
		for round := range rounds {
			data := fmt.Sprintf(`{"appender":%d,"round":%d}`, appender, round)
			if seen[data] != 1+round%3 {
				t.Errorf("%s: %d events, want %d", data, seen[data], 1+round%3)
			}
		}
	}
}

// appendAtHead appends n events with the same data wherever the stream stands.
func appendAtHead(ctx context.Context, log eventstore.Log, stream, data string, n int) error {
	for {
		position, err := log.Head(ctx, stream)
		if err != nil {
			return err
		}
		texts := make([]string, n)
		for i := range texts {
			texts[i] = data
		}
		result, err := log.Append(ctx, stream, position, Chain(position, texts...))
		if err != nil || result.Outcome == eventstore.Applied {
			return err
		}
		if result.Outcome != eventstore.Conflict {
			return fmt.Errorf("append: outcome %v, want Applied or Conflict", result.Outcome)
		}
	}
}

// operationsExactlyOnce lets appenders race with the same operations: each gets into the log once, and the others
// are told where.
func operationsExactlyOnce(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	var wg sync.WaitGroup
	for range appenders {
		wg.Go(func() {
			for round := range rounds {
				if err := settleOnce(ctx, log, "g", fmt.Sprintf("op-%d", round)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	events := all(t, log, "g")
	if len(events) != rounds {
		t.Errorf("%d events, want %d", len(events), rounds)
	}
	for round := range rounds {
		id := fmt.Sprintf("op-%d", round)
		versions, err := log.Operations(ctx, "g", id)
		if err != nil || versions[0] == 0 || int(versions[0]) > len(events) || string(events[versions[0]-1].Data) != `"`+id+`"` {
			t.Errorf("%s: version %v, %v, want that of its event", id, versions, err)
		}
	}
}

// settleOnce appends an event that settles operation id, unless one is there.
func settleOnce(ctx context.Context, log eventstore.Log, stream, id string) error {
	for {
		position, err := log.Head(ctx, stream)
		if err != nil {
			return err
		}
		events := Chain(position, `"`+id+`"`)
		events[0].Operations = []string{id}
		result, err := log.Append(ctx, stream, position, events)
		switch {
		case err != nil || result.Outcome == eventstore.Applied:
			return err
		case result.Outcome == eventstore.Duplicate:
			if version := result.Done[id]; version == 0 || version > result.Head {
				return fmt.Errorf("duplicate of %s: at %d, head %d", id, version, result.Head)
			}
			return nil
		}
	}
}

// call is what a client of linearizable did, and answer what it got.
type (
	call struct {
		events   []eventstore.Event // none: a look at the head
		expected eventstore.Position
	}
	answer struct {
		conflict bool
		position eventstore.Position // a conflict tells no hash
	}
)

// stream is the model: a stream is where it stands.
var stream = porcupine.Model{
	Init: func() any { return eventstore.Position{} },
	Step: func(state, input, output any) (bool, any) {
		at, in, out := state.(eventstore.Position), input.(call), output.(answer)
		switch {
		case len(in.events) == 0:
			return out.position == at, at
		case out.conflict:
			return out.position.Version == at.Version && in.expected != at, at
		}
		return in.expected == at, out.position
	},
	Equal: func(a, b any) bool { return a == b },
}

// linearizable records the calls of racing clients and has a checker look for an order that explains them.
func linearizable(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	begin := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	for client := range 5 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			var known eventstore.Position
			for range 40 {
				var in call
				if random.IntN(3) > 0 {
					in = call{events: Numbered(known, 1+random.IntN(3)), expected: known}
				}
				called := time.Since(begin).Nanoseconds()
				out, err := do(ctx, log, in)
				returned := time.Since(begin).Nanoseconds()
				if err != nil {
					t.Error(err)
					return
				}
				if !out.conflict {
					known = out.position
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: returned})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got := porcupine.CheckOperationsTimeout(stream, history, patience); got == porcupine.Illegal {
		t.Error("no order of the calls explains what they answered")
	}
}

func do(ctx context.Context, log eventstore.Log, in call) (answer, error) {
	if len(in.events) == 0 {
		position, err := log.Head(ctx, "g")
		return answer{position: position}, err
	}
	for i := range in.events { // make them this call's own: identical events would be Applied
		in.events[i].Data = fmt.Appendf(nil, `{"id":%q}`, in.events[i].Operations[0])
		previous := in.expected.Hash
		if i > 0 {
			previous = in.events[i-1].Hash
		}
		in.events[i].Hash = eventstore.NextHash(previous, in.events[i].Data)
	}
	result, err := log.Append(ctx, "g", in.expected, in.events)
	if result.Outcome == eventstore.Conflict {
		return answer{conflict: true, position: eventstore.Position{Version: result.Head}}, err
	}
	return answer{position: in.events[len(in.events)-1].Position()}, err
}
