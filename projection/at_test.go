package projection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// countingLog counts the events that are read, and no longer has those up to floor.
type countingLog struct {
	eventstore.Log
	floor eventstore.Version
	read  atomic.Int64
	calls atomic.Int64
}

func (l *countingLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if after < l.floor {
		return nil, &eventstore.TrimmedError{Stream: stream, First: l.floor + 1}
	}
	events, err := l.Log.Read(ctx, stream, after, limit)
	l.read.Add(int64(len(events)))
	l.calls.Add(1)
	return events, err
}

func (l *countingLog) ReadBackward(ctx context.Context, stream string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	events, err := l.Log.ReadBackward(ctx, stream, before, limit)
	return slices.DeleteFunc(events, func(e eventstore.Event) bool { return e.Version <= l.floor }), err
}

// past is a log of so many events, snapshots of each state that is a multiple of every, and all states.
func past(t testing.TB, events, every int) (*countingLog, *memory.Models, []string) {
	t.Helper()
	log := memorylog.New()
	models := memory.New(log)
	w := projectiontest.NewWriter("g", source(1))
	states := []string{whole(w.Graph)}
	for version := 1; version <= events; version++ {
		projectiontest.Append(t, log, "g", w.Random())
		states = append(states, whole(w.Graph))
		if version%every == 0 {
			if err := models.Save(context.Background(), "g", snapshot(t, w.Graph)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &countingLog{Log: log}, models, states
}

// TestStateAtVersions: with snapshots and without, it is what the events up to there fold to; with them no more is
// read than from one snapshot to the next.
func TestStateAtVersions(t *testing.T) {
	log, models, states := past(t, 330, 60)
	for version, want := range states {
		if version%7 > 0 && version%60 > 1 && version%60 < 59 {
			continue
		}
		for _, snapshots := range []projection.Snapshots{models, nil} {
			log.read.Store(0)
			g, err := projection.At(t.Context(), log, snapshots, "g", eventstore.Version(version))
			if err != nil || whole(g) != want {
				t.Fatalf("version %d: got %v, %v\nwant %s", version, g, err, want)
			}
			if read := log.read.Load(); snapshots != nil && read > 60 || read > int64(version) {
				t.Errorf("version %d: %d events were read", version, read)
			}
		}
	}
}

// spoiled snapshots are not what was saved.
type spoiled struct {
	projection.Snapshots
	spoil func(s *projection.Snapshot) error
}

func (s *spoiled) Nearest(ctx context.Context, graph string, at eventstore.Version) (projection.Snapshot, bool, error) {
	snapshot, found, err := s.Snapshots.Nearest(ctx, graph, at)
	snapshot.Data = slices.Clone(snapshot.Data)
	if err == nil && found {
		err = s.spoil(&snapshot)
	}
	return snapshot, found, err
}

// TestStateAtWithBadSnapshots: whatever is in the place of snapshots, the state is right, and of an older snapshot or all
// events.
func TestStateAtWithBadSnapshots(t *testing.T) {
	log, models, states := past(t, 450, 100)
	newest := func(spoil func(s *projection.Snapshot)) func(s *projection.Snapshot) error {
		return func(s *projection.Snapshot) error {
			if s.Version == 400 {
				spoil(s)
			}
			return nil
		}
	}
	tests := []struct {
		name  string
		spoil func(s *projection.Snapshot) error
		read  int64 // at most
	}{
		{"good", func(*projection.Snapshot) error { return nil }, 51},
		{"newest flipped", newest(func(s *projection.Snapshot) { s.Data[len(s.Data)/2] ^= 1 }), 152},
		{"newest cut off", newest(func(s *projection.Snapshot) { s.Data = s.Data[:10] }), 152},
		{"newest empty", newest(func(s *projection.Snapshot) { s.Data = nil }), 152},
		{"newest of another checksum", newest(func(s *projection.Snapshot) { s.Checksum++ }), 152},
		{"newest of another history", newest(func(s *projection.Snapshot) { s.Hash = "00000000000000000000000000000000" }), 152},
		{"newest ahead", newest(func(s *projection.Snapshot) { s.Version = 460 }), 451},
		{"newest of version 0", newest(func(s *projection.Snapshot) { s.Version = 0 }), 451},
		{"all damaged", func(s *projection.Snapshot) error { s.Data[len(s.Data)/2] ^= 1; return nil }, 454},
		{"index damaged", func(*projection.Snapshot) error { return errors.New("damaged") }, 450},
	}
	for _, test := range tests {
		log.read.Store(0)
		g, err := projection.At(t.Context(), log, &spoiled{models, test.spoil}, "g", 450)
		if err != nil || whole(g) != states[450] {
			t.Errorf("%s: got %v, %v", test.name, g, err)
		}
		if read := log.read.Load(); read > test.read {
			t.Errorf("%s: %d events were read, want at most %d", test.name, read, test.read)
		}
	}
	away := &spoiled{models, func(*projection.Snapshot) error { return fmt.Errorf("no: %w", eventstore.ErrUnavailable) }}
	if g, err := projection.At(t.Context(), log, away, "g", 450); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("out of reach: got %v, %v", g, err)
	}
}

// TestStateAtAfterLostSuffix: snapshots that are whole, and of a history that the log has lost to another one.
func TestStateAtAfterLostSuffix(t *testing.T) {
	log := memorylog.New()
	snapshots := memory.New(nil) // takes what no log holds
	ours, theirs := projectiontest.NewWriter("g", source(1)), projectiontest.NewWriter("g", source(1))
	projectiontest.Append(t, log, "g", theirs.Events(30)...)
	ours.Events(30)
	theirs.Clock += 1000
	states := map[eventstore.Version]string{}
	for version := eventstore.Version(31); version <= 60; version++ {
		projectiontest.Append(t, log, "g", theirs.Random())
		states[version] = whole(theirs.Graph)
		if version == 31 {
			if err := snapshots.Save(t.Context(), "g", snapshot(t, ours.Graph)); err != nil { // of version 30, which both have
				t.Fatal(err)
			}
		}
		ours.Random()
		if err := snapshots.Save(t.Context(), "g", snapshot(t, ours.Graph)); err != nil {
			t.Fatal(err)
		}
	}
	counting := &countingLog{Log: log}
	for version, want := range states {
		counting.read.Store(0)
		g, err := projection.At(t.Context(), counting, snapshots, "g", version)
		if err != nil || whole(g) != want {
			t.Errorf("version %d: got %v", version, err)
		}
		if read, most := counting.read.Load(), 2*int64(version-30)+1; read > most {
			t.Errorf("version %d: %d events were read, want at most %d", version, read, most)
		}
		if version == 60 {
			continue // behind the head nothing begins
		}
		counting.floor = version // the log begins right behind the snapshot of the other history
		if g, err := projection.At(t.Context(), counting, snapshots, "g", version); !errors.Is(err, projection.ErrTrimmed) {
			t.Errorf("version %d of a log that begins behind it: got %v, %v, want ErrTrimmed", version, g, err)
		}
		counting.floor = 0
	}
}

func TestStateAtTrimmedLog(t *testing.T) {
	for _, floor := range []eventstore.Version{99, 100, 101, 150, 200} { // the last version that is gone
		log, models, states := past(t, 250, 100)
		log.floor = floor
		for _, version := range []eventstore.Version{1, 99, 100, 101, 102, 150, 151, 199, 200, 201, 250} {
			// From a snapshot one can go on if its own entry or the next one is there. That of 100 serves
			// versions up to 199, that of 200 the others.
			base := version / 100 * 100
			reaches := base > 0 && base >= floor
			g, err := projection.At(t.Context(), log, models, "g", version)
			switch {
			case reaches && (err != nil || whole(g) != states[version]):
				t.Errorf("floor %d, version %d: got %v", floor, version, err)
			case !reaches && !errors.Is(err, projection.ErrTrimmed):
				t.Errorf("floor %d, version %d: got %v, want ErrTrimmed", floor, version, err)
			}
			if _, err := projection.At(t.Context(), log, nil, "g", version); !errors.Is(err, projection.ErrTrimmed) {
				t.Errorf("floor %d, version %d, without snapshots: got %v, want ErrTrimmed", floor, version, err)
			}
		}
	}
}

func TestStateAtRefuses(t *testing.T) {
	log, models, _ := past(t, 250, 100)
	for _, version := range []eventstore.Version{251, 1000, 1 << 53, 1<<64 - 1} {
		for _, snapshots := range []projection.Snapshots{models, nil} {
			if g, err := projection.At(t.Context(), log, snapshots, "g", version); !errors.Is(err, projection.ErrAhead) {
				t.Errorf("version %d of 250: got %v, %v, want ErrAhead", version, g, err)
			}
		}
	}
	if g, err := projection.At(t.Context(), log, models, "unknown", 1); !errors.Is(err, projection.ErrAhead) {
		t.Errorf("version 1 of nothing: got %v, %v, want ErrAhead", g, err)
	}
	if g, err := projection.At(t.Context(), log, models, "unknown", 0); err != nil || g.Position.Version != 0 || g.ID != "unknown" {
		t.Errorf("version 0 of nothing: got %v, %v", g, err)
	}
	log.Log.(*memorylog.Log).Fail = func(call, _ string) error {
		if call == "read" {
			return eventstore.ErrUnavailable
		}
		return nil
	}
	if g, err := projection.At(t.Context(), log, models, "g", 150); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("out of reach: got %v, %v", g, err)
	}
}

// tampered is a log of which one event is read as another.
type tampered struct {
	eventstore.Log
	at     eventstore.Version
	change func(*eventstore.Event)
}

func (l *tampered) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	events, err := l.Log.Read(ctx, stream, after, limit)
	for i := range events {
		if events[i].Version == l.at {
			l.change(&events[i])
		}
	}
	return events, err
}

// TestI2StateAtVerifiesTheChain: an entry that is not what was appended is found, if it is on the way.
func TestI2StateAtVerifiesTheChain(t *testing.T) {
	log, models, states := past(t, 250, 100)
	changes := map[string]func(*eventstore.Event){
		"flipped": func(e *eventstore.Event) { e.Data = append([]byte(" "), e.Data...) },
		"hash":    func(e *eventstore.Event) { e.Hash = "00000000000000000000000000000000" },
		"version": func(e *eventstore.Event) { e.Version++ },
	}
	for name, change := range changes {
		for _, at := range []eventstore.Version{1, 120, 150, 220} {
			g, err := projection.At(t.Context(), &tampered{log, at, change}, models, "g", 150)
			switch onTheWay := at > 100 && at <= 150; {
			case onTheWay && !errors.Is(err, eventstore.ErrBroken):
				t.Errorf("%s at %d: got %v, want ErrBroken", name, at, err)
			case !onTheWay && (err != nil || whole(g) != states[150]):
				t.Errorf("%s at %d: got %v", name, at, err)
			}
		}
	}
	damagedFirst := &tampered{log, 1, func(e *eventstore.Event) { e.Hash = "" }}
	if _, err := projection.At(t.Context(), damagedFirst, nil, "g", 5); !errors.Is(err, eventstore.ErrBroken) || errors.Is(err, projection.ErrTrimmed) {
		t.Errorf("damaged first entry: got %v, want ErrBroken", err)
	}
}

// BenchmarkAt is over the log in memory; projection/redis has the one over Redis.
func BenchmarkAt(b *testing.B) {
	log := memorylog.New()
	projectiontest.BenchmarkAt(b, log, memory.New(log))
}
