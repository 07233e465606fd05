package command_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"graphy/command"
	"graphy/eventstore"
)

// rival is a log on which another process is faster than every append of more than most events.
type rival struct {
	eventstore.Log
	most  int
	first func()

	sizes []int // of the appends that were applied
}

func (l *rival) Append(ctx context.Context, stream string, expected eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, error) {
	if len(events) > l.most {
		l.first()
	}
	result, err := l.Log.Append(ctx, stream, expected, events)
	if err == nil && result.Outcome == eventstore.Applied {
		l.sizes = append(l.sizes, len(events))
	}
	return result, err
}

// TestLargeBatchAgainstFastRival: commands that gathered behind one another get in, in their order, though only few at
// once do; and many at once when the rival is gone.
func TestLargeBatchAgainstFastRival(t *testing.T) {
	for _, most := range []int{1, 5} {
		s, log := newSite()
		other := s.start(t, command.Options{})
		slow := &rival{Log: log, most: most}
		wins := 0
		slow.first = func() {
			wins++
			mustDo(t, other, create(fmt.Sprint("rival", wins)))
		}
		p := (&site{log: slow, models: s.models, recorder: s.recorder}).start(t, command.Options{})
		const count = 200
		commands := make([]*command.Command, count)
		for i := range commands {
			commands[i] = parse(t, create(fmt.Sprint("n", i)))
		}
		commands[100] = parse(t, create("n99")) // a repetition within the batch
		var last eventstore.Version
		for i, result := range p.DoEach(t.Context(), "g", commands) {
			if result.Err != nil {
				t.Fatalf("most %d: command %d: %v", most, i, result.Err)
			}
			if i == 100 {
				if !result.Outcome.Duplicate || result.Outcome.Version != last {
					t.Errorf("most %d: repetition: got %+v, want version %d again", most, result.Outcome, last)
				}
				continue
			}
			if result.Outcome.Version <= last {
				t.Errorf("most %d: command %d is at version %d, after %d", most, i, result.Outcome.Version, last)
			}
			last = result.Outcome.Version
		}
		if version := int(s.fold(t).Position.Version); version != count-1+wins {
			t.Errorf("most %d: version %d, want %d and %d", most, version, count-1, wins)
		}

		slow.most, slow.sizes = count, nil
		for i := range commands {
			commands[i] = parse(t, title(fmt.Sprint("n", i%100), fmt.Sprint("title", i), fmt.Sprint(i)))
		}
		for i, result := range p.DoEach(t.Context(), "g", commands) {
			if result.Err != nil {
				t.Fatalf("most %d: title %d: %v", most, i, result.Err)
			}
		}
		if len(slow.sizes) > 9 { // 1, 2, 4 … 64, the rest
			t.Errorf("most %d: without the rival in appends of %v", most, slow.sizes)
		}
	}
}

func TestTwoProcessesHammerOneGraph(t *testing.T) {
	s, _ := newSite()
	processors := []*command.Processor{s.start(t, command.Options{}), s.start(t, command.Options{})}
	const each = 500
	var users, answers sync.WaitGroup
	for i, p := range processors {
		answers.Add(each)
		users.Go(func() {
			for j := range each {
				p.Submit(t.Context(), "g", parse(t, create(fmt.Sprintf("n%d-%d", i, j))), func(_ command.Outcome, err error) {
					if err != nil {
						t.Errorf("process %d, command %d: %v", i, j, err)
					}
					answers.Done()
				})
			}
		})
	}
	users.Wait()
	answers.Wait()
	if version := s.fold(t).Position.Version; version != 2*each {
		t.Errorf("got version %d, want %d", version, 2*each)
	}
}
