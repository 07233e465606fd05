package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/memory"
)

// trimmedLog is a log in memory whose events up to base are in an archive, and gone up to floor from the log.
type trimmedLog struct {
	*memory.Log
	store  *heap
	events []eventstore.Event
	log    eventstore.Log // through the archive
}

func newTrimmedLog(t testing.TB, n, per, base, floor int) *trimmedLog {
	t.Helper()
	l := &trimmedLog{Log: memory.New(), store: newHeap(), events: history(eventstore.Position{}, n, "m")}
	if _, err := l.Append(context.Background(), "g", eventstore.Position{}, l.events); err != nil {
		t.Fatal(err)
	}
	l.trim(t, per, 0, base, floor)
	l.log = Through(l.Log, l.Log, New(l.store))
	return l
}

// trim archives events from the one after version archived up to base, and trims those up to floor.
func (l *trimmedLog) trim(t testing.TB, per, archived, base, floor int) {
	t.Helper()
	a, at := New(l.store), archived
	for part := range slices.Chunk(l.events[archived:base], per) {
		mustPut(t, a, "g", before(l.events, at), part)
		at += len(part)
	}
	if base == 0 {
		return
	}
	err := l.SetBase(context.Background(), "g", eventstore.Base{Position: before(l.events, base), Data: []byte("state")})
	if floor > 0 {
		err = errors.Join(err, l.Trim(context.Background(), "g", l.events[:floor]))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// One that was never trimmed is the log that it was.
func TestThroughConformance(t *testing.T) {
	eventstoretest.Run(t, func(*testing.T) eventstore.Log {
		log := memory.New()
		return Through(log, log, New(newHeap()))
	})
}

// Wherever a log is trimmed, and whatever is asked for, it is read as if it were whole.
func TestThroughReadsAsIfWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 60).Draw(t, "events")
		base := rapid.IntRange(0, n).Draw(t, "base")
		floor := rapid.IntRange(0, min(base, n-1)).Draw(t, "floor")
		l := &trimmedLog{Log: memory.New(), store: newHeap(), events: history(eventstore.Position{}, n, "m")}
		whole := memory.New()
		for _, log := range []*memory.Log{l.Log, whole} {
			if _, err := log.Append(context.Background(), "g", eventstore.Position{}, l.events); err != nil {
				t.Fatal(err)
			}
		}
		per, a := rapid.IntRange(1, 30).Draw(t, "per"), New(l.store)
		at := 0
		for part := range slices.Chunk(l.events[:base], per) {
			if _, err := a.Put(context.Background(), "g", before(l.events, at), part); err != nil {
				t.Fatal(err)
			}
			at += len(part)
		}
		if base > 0 {
			if err := l.SetBase(context.Background(), "g", eventstore.Base{Position: before(l.events, base), Data: []byte("state")}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Trim(context.Background(), "g", l.events[:floor]); err != nil {
			t.Fatal(err)
		}
		log := Through(l.Log, l.Log, a)
		for range 8 {
			version := eventstore.Version(rapid.IntRange(0, n+2).Draw(t, "version"))
			limit := rapid.IntRange(0, n+2).Draw(t, "limit")
			if limit == 0 { // what is asked for need not be there
				continue
			}
			got, err := log.Read(context.Background(), "g", version, limit)
			want, _ := whole.Read(context.Background(), "g", version, limit)
			if err != nil || !slices.EqualFunc(got, want, sameEvent) {
				t.Fatalf("after %d, limit %d: got %d events, %v, want %d", version, limit, len(got), err, len(want))
			}
			got, err = log.ReadBackward(context.Background(), "g", version, limit)
			want, _ = whole.ReadBackward(context.Background(), "g", version, limit)
			if err != nil || !slices.EqualFunc(got, want, sameEvent) {
				t.Fatalf("before %d, limit %d: got %d events, %v, want %d", version, limit, len(got), err, len(want))
			}
			version = min(version, eventstore.Version(n))
			next := version
			ctx, cancel := context.WithCancel(context.Background())
			if next == eventstore.Version(n) {
				cancel()
			}
			for event, err := range log.Tail(ctx, "g", version) {
				if err != nil {
					if !errors.Is(err, context.Canceled) || next != eventstore.Version(n) {
						t.Fatalf("tail after %d: %v after %d", version, err, next)
					}
					continue
				}
				if !sameEvent(event, l.events[next]) {
					t.Fatalf("tail after %d: got %v, want version %d", version, event, next+1)
				}
				if next++; next == eventstore.Version(n) {
					cancel()
				}
			}
			cancel()
			if next != eventstore.Version(n) {
				t.Fatalf("tail after %d ended after %d of %d", version, next, n)
			}
		}
	})
}

func sameEvent(a, b eventstore.Event) bool {
	return a.Position() == b.Position() && string(a.Data) == string(b.Data)
}

// As long as nothing is asked for that was trimmed, the archive is not.
func TestThroughAsksTheArchiveLast(t *testing.T) {
	l := newTrimmedLog(t, 50, 10, 30, 25)
	asked := 0
	l.store.fail = func(string, string) error { asked++; return nil }
	l.Fail = func(call, _ string) error {
		if call == "base" {
			asked++
		}
		return nil
	}
	for _, read := range []func() ([]eventstore.Event, error){
		func() ([]eventstore.Event, error) { return l.log.Read(t.Context(), "g", 25, 100) },
		func() ([]eventstore.Event, error) { return l.log.ReadBackward(t.Context(), "g", 0, 25) },
		func() ([]eventstore.Event, error) { return l.log.ReadBackward(t.Context(), "g", 0, 10) },
	} {
		if events, err := read(); err != nil || len(events) < 10 || asked > 0 {
			t.Errorf("got %d events, %v, asked %d times", len(events), err, asked)
		}
	}
	if events, err := l.log.Read(t.Context(), "g", 24, 100); err != nil || len(events) != 26 || asked == 0 {
		t.Errorf("below the floor: got %d events, %v, asked %d times", len(events), err, asked)
	}
}

// What the archive does not have either stays trimmed; damage says so; one that is out of reach is unavailable.
func TestThroughFaults(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name    string
		spoil   func(l *trimmedLog)
		want    []error
		not     []error
		history int // so many events are there backward
	}{
		{"no archive", func(l *trimmedLog) { clear(l.store.objects) }, []error{eventstore.ErrTrimmed}, []error{ErrDamaged}, 25},
		{"a missing segment", func(l *trimmedLog) {
			delete(l.store.objects, Segment{GraphID: "g", To: before(l.events, 10)}.name())
		}, []error{eventstore.ErrTrimmed}, []error{ErrDamaged}, 40},
		{"a damaged segment", func(l *trimmedLog) {
			l.store.objects[Segment{GraphID: "g", To: before(l.events, 10)}.name()][40] ^= 1
		}, []error{eventstore.ErrTrimmed, ErrDamaged}, []error{eventstore.ErrBroken}, 40},
		{"out of reach", func(l *trimmedLog) {
			l.store.fail = func(string, string) error { return broken }
		}, []error{eventstore.ErrUnavailable, broken}, []error{eventstore.ErrTrimmed}, 0},
		{"the base out of reach", func(l *trimmedLog) {
			l.Fail = func(call, _ string) error {
				if call == "base" {
					return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, broken)
				}
				return nil
			}
		}, []error{eventstore.ErrUnavailable, broken}, []error{eventstore.ErrTrimmed}, 0},
	}
	for _, test := range tests {
		l := newTrimmedLog(t, 50, 10, 30, 25)
		test.spoil(l)
		check := func(what string, err error) {
			t.Helper()
			for _, want := range test.want {
				if !errors.Is(err, want) {
					t.Errorf("%s: %s: got %v, want %v", test.name, what, err, want)
				}
			}
			for _, not := range test.not {
				if errors.Is(err, not) {
					t.Errorf("%s: %s: got %v, which is %v", test.name, what, err, not)
				}
			}
		}
		_, err := l.log.Read(t.Context(), "g", 3, 10)
		check("read", err)
		_, err = l.log.ReadBackward(t.Context(), "g", 5, 10)
		check("read backward", err)
		for _, failed := range l.log.Tail(t.Context(), "g", 2) {
			err = failed
		}
		check("tail", err)
		events, err := l.log.ReadBackward(t.Context(), "g", 0, 50)
		if test.history == 0 {
			check("history", err)
		} else if err != nil || len(events) != test.history {
			t.Errorf("%s: history: got %d events, %v, want %d", test.name, len(events), err, test.history)
		}
	}
}

// A log that is trimmed further while it is read and followed is read all the same.
func TestThroughWhileTrimmed(t *testing.T) {
	l := newTrimmedLog(t, 100, 10, 0, 0)
	archived := 0
	l.Fail = func(call, _ string) error {
		if call == "read" && archived < 90 {
			from := archived
			archived += 10
			fail := l.Fail
			l.Fail = nil
			l.trim(t, 5, from, archived, archived-5)
			l.Fail = fail
		}
		return nil
	}
	var got []eventstore.Event
	for len(got) < 100 {
		page, err := l.log.Read(t.Context(), "g", eventstore.Version(len(got)), 20)
		if err != nil || len(page) == 0 {
			t.Fatalf("after %d: got %d events, %v", len(got), len(page), err)
		}
		got = append(got, page...)
	}
	same(t, "read", got, l.events)
	archived, got = 100, nil
	for event, err := range l.log.Tail(t.Context(), "g", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, event); len(got) == 100 {
			break
		}
	}
	same(t, "tail", got, l.events)
}

// A graph that is deleted and begun anew under the same id is not read on from the old one's archive.
func TestThroughAnotherHistory(t *testing.T) {
	l := newTrimmedLog(t, 50, 10, 30, 25)
	if events, err := l.log.Read(t.Context(), "g", 0, 100); err != nil || len(events) != 50 {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	other := history(eventstore.Position{}, 50, "other")
	if err := l.log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.log.Append(t.Context(), "g", eventstore.Position{}, other); err != nil {
		t.Fatal(err)
	}
	if events, err := l.log.Read(t.Context(), "g", 0, 100); err != nil || !slices.EqualFunc(events, other, sameEvent) {
		t.Fatalf("begun anew: got %d events, %v", len(events), err)
	}
	// It is trimmed at the same place before the old base is forgotten, and archived too.
	l.events = other
	l.trim(t, 10, 0, 30, 25)
	for _, read := range []func() ([]eventstore.Event, error){
		func() ([]eventstore.Event, error) { return l.log.Read(t.Context(), "g", 0, 100) },
		func() ([]eventstore.Event, error) {
			events, err := l.log.ReadBackward(t.Context(), "g", 0, 100)
			return reversed(events), err
		},
	} {
		if events, err := read(); err != nil || !slices.EqualFunc(events, other, sameEvent) {
			t.Fatalf("trimmed again: got %d events, %v", len(events), err)
		}
	}
}

// Tail reads what was trimmed, and then what comes.
func TestThroughTailGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTrimmedLog(t, 50, 10, 30, 25)
		ctx, cancel := context.WithCancel(t.Context())
		var got []eventstore.Event
		var last error
		go func() {
			for event, err := range l.log.Tail(ctx, "g", 3) {
				if last = err; err == nil {
					got = append(got, event)
				}
			}
		}()
		synctest.Wait()
		more := history(endOf(l.events), 5, "more")
		if _, err := l.log.Append(ctx, "g", endOf(l.events), more); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		same(t, "tail", got, append(slices.Clone(l.events[3:]), more...))
		cancel()
		synctest.Wait()
		if last != context.Canceled {
			t.Errorf("ended with %v", last)
		}
	})
}

// A Tail whose stream becomes another one while it is being caught up does not go on in that one.
func TestThroughTailIsReset(t *testing.T) {
	l := newTrimmedLog(t, 50, 10, 30, 25)
	other := history(eventstore.Position{}, 60, "other")
	next := eventstore.Version(1)
	for event, err := range l.log.Tail(t.Context(), "g", 0) {
		if err != nil {
			if !errors.Is(err, eventstore.ErrReset) || next != 51 {
				t.Errorf("got %v after %d", err, next-1)
			}
			break
		}
		if event.Version != next || !sameEvent(event, l.events[next-1]) {
			t.Fatalf("got %v, want version %d", event, next)
		}
		if next++; next == 51 {
			if err := l.Delete(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Append(t.Context(), "g", eventstore.Position{}, other); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A hole between base and stream, which nothing can fill, stays what it is.
func TestThroughBaseBelowFloor(t *testing.T) {
	l := newTrimmedLog(t, 50, 10, 30, 25)
	wrong := &lowBase{l.Log, before(l.events, 20)}
	log := Through(l.Log, wrong, New(l.store))
	if _, err := log.Read(t.Context(), "g", 0, 10); !errors.Is(err, eventstore.ErrTrimmed) || !strings.Contains(err.Error(), "26") {
		t.Errorf("got %v", err)
	}
	// A base whose history the archive has, but which is not the stream's.
	other := history(eventstore.Position{}, 50, "other")
	archived(t, l.store, "g", other, 10)
	log = Through(l.Log, &lowBase{l.Log, before(other, 30)}, New(l.store))
	if _, err := log.Read(t.Context(), "g", 10, 100); !errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("across: got %v, want ErrBroken", err)
	}
	if _, err := log.ReadBackward(t.Context(), "g", 0, 100); !errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("backward: got %v, want ErrBroken", err)
	}
}

type lowBase struct {
	*memory.Log
	at eventstore.Position
}

func (l *lowBase) Base(context.Context, string) (eventstore.Base, error) {
	return eventstore.Base{Position: l.at, Data: []byte("x")}, nil
}
