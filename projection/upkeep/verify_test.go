package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/upkeep"
)

func TestVerifyFindsNothing(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 3000)
	w.project(t, writer)
	w.mustBeWhole(t, writer)
	w.append(t, writer, 50)
	verified := w.verify(t, "g")
	if !verified.OK || verified.Version != 3050 || verified.Checkpoint != 3000 || verified.Events != 3050 {
		t.Errorf("behind the log: got %+v", verified)
	}
	if _, err := w.keeper.Verify(t.Context(), "unknown"); !errors.Is(err, upkeep.ErrUnknown) {
		t.Errorf("unknown graph: got %v", err)
	}
	w.write(t, "young", 1, 1)
	if verified := w.verify(t, "young"); !verified.OK || verified.Version != 1 {
		t.Errorf("not yet projected: got %+v", verified)
	}
}

// damagedLog gives other events than the log has.
type damagedLog struct {
	log
	change func(events []eventstore.Event) []eventstore.Event // of the whole log
	once   sync.Once
	events []eventstore.Event // changed
}

func (d *damagedLog) all(ctx context.Context, stream string) []eventstore.Event {
	d.once.Do(func() {
		events, err := d.log.Read(ctx, stream, 0, 1_000_000)
		if err != nil {
			panic(err)
		}
		for i := range events {
			events[i].Data = slices.Clone(events[i].Data)
		}
		d.events = d.change(events)
	})
	return d.events
}

func (d *damagedLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) (page []eventstore.Event, err error) {
	for _, event := range d.all(ctx, stream) {
		if event.Version <= after || len(page) == limit {
			continue
		}
		if want := after + eventstore.Version(len(page)) + 1; event.Version != want {
			return nil, &eventstore.ChainError{Stream: stream, Version: want, Reason: "it is missing"}
		}
		if event.Data == nil {
			return nil, &eventstore.ChainError{Stream: stream, Version: event.Version, Reason: "it is foreign"}
		}
		page = append(page, event)
	}
	return page, nil
}

func (d *damagedLog) Head(ctx context.Context, stream string) (eventstore.Position, error) {
	events := d.all(ctx, stream)
	last := events[len(events)-1]
	if last.Data == nil {
		return eventstore.Position{}, &eventstore.ChainError{Stream: stream, Version: last.Version, Reason: "it is foreign"}
	}
	return last.Position(), nil
}

func TestI2VerifyNamesWhatIsWrongWithALog(t *testing.T) {
	tests := []struct {
		name   string
		change func(events []eventstore.Event) []eventstore.Event // of 600
		want   []projection.Mismatch                              // all of the log
	}{
		{"flipped byte of data", func(events []eventstore.Event) []eventstore.Event {
			events[299].Data[40] ^= 1
			return events
		}, []projection.Mismatch{{Kind: "chain", ID: "hash", Version: 300}}},
		{"flipped byte of a hash", func(events []eventstore.Event) []eventstore.Event {
			events[299].Hash = "0" + events[298].Hash[1:]
			return events
		}, []projection.Mismatch{{Kind: "chain", ID: "hash", Version: 300}}},
		{"hole", func(events []eventstore.Event) []eventstore.Event { return slices.Delete(events, 299, 301) },
			[]projection.Mismatch{{Kind: "chain", Version: 300}}},
		{"two holes and a foreign entry", func(events []eventstore.Event) []eventstore.Event {
			events[499].Data = nil
			return slices.Delete(slices.Delete(events, 299, 370), 9, 10)
		}, []projection.Mismatch{{Kind: "chain", Version: 10}, {Kind: "chain", Version: 300}, {Kind: "chain", Version: 500}}},
		{"first missing", func(events []eventstore.Event) []eventstore.Event { return events[1:] },
			[]projection.Mismatch{{Kind: "chain", Version: 1}}},
		{"foreign at the end", func(events []eventstore.Event) []eventstore.Event {
			return append(events, eventstore.Event{Version: 1_700_000_000_000})
		}, []projection.Mismatch{{Kind: "chain", Version: 601}}},
		{"wrong checksum", func(events []eventstore.Event) []eventstore.Event {
			at := bytes.LastIndex(events[599].Data, []byte(`"checksum":"`)) + len(`"checksum":"`)
			copy(events[599].Data[at:], "0123456789abcdef")
			seal(events[598].Position(), events[599:])
			return events
		}, []projection.Mismatch{{Kind: "checksum", Version: 600}}},
		{"no event", func(events []eventstore.Event) []eventstore.Event {
			events[599].Data = []byte(`{"version":600}`)
			seal(events[598].Position(), events[599:])
			return events
		}, []projection.Mismatch{{Kind: "event", Version: 600}}},
		{"event of another version", func(events []eventstore.Event) []eventstore.Event {
			events[599].Data = events[598].Data
			seal(events[598].Position(), events[599:])
			return events
		}, []projection.Mismatch{{Kind: "event", Version: 600}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := inMemory()
			writer := w.write(t, "g", 2, 600)
			w.project(t, writer)
			w.log = &damagedLog{log: w.log, change: test.change}
			w.open()
			verified := w.verify(t, "g")
			var ofLog []projection.Mismatch
			for _, m := range verified.First {
				if m.Kind == "chain" || m.Kind == "event" || m.Kind == "checksum" {
					ofLog = append(ofLog, m)
				}
			}
			same := slices.EqualFunc(ofLog, test.want, func(a, b projection.Mismatch) bool {
				return a.Kind == b.Kind && a.Version == b.Version && (b.ID == "" || a.ID == b.ID)
			})
			if !same || verified.OK || verified.Mismatches != len(verified.First) {
				t.Errorf("got %+v\nwant %+v", verified, test.want)
			}
			rebuilt, err := w.keeper.Rebuild(t.Context(), "g", upkeep.RebuildOptions{})
			if err != nil || rebuilt.Outcome != "parked" || rebuilt.Cause == "" {
				t.Errorf("rebuild: got %+v, %v", rebuilt, err)
			}
		})
	}
}

func TestVerifyReadModelsOfAnotherHistory(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 3, 100)
	w.project(t, writer)
	if err := w.log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if verified := w.verify(t, "g"); verified.OK || !find(verified.First, "chain", "", 1) {
		t.Errorf("log gone: got %+v", verified)
	}
	other := w.write(t, "g", 4, 50)
	if verified := w.verify(t, "g"); verified.OK || !find(verified.First, "state", "version", 0) {
		t.Errorf("shorter log: got %+v", verified)
	}
	w.append(t, other, 70)
	if verified := w.verify(t, "g"); verified.OK || !find(verified.First, "state", "hash", 0) || verified.Version != 120 {
		t.Errorf("longer log: got %+v", verified)
	}
	rebuilt, err := w.keeper.Rebuild(t.Context(), "g", upkeep.RebuildOptions{})
	if err != nil || rebuilt.Outcome != "different" {
		t.Errorf("rebuild: got %+v, %v", rebuilt, err)
	}
	w.mustBeWhole(t, other)
}

func TestVerifyIndexOfOperations(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 5, 2500)
	w.project(t, writer)
	events, err := w.log.Read(t.Context(), "g", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	event, err := projection.DecodeEvent(events[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	missing := event.OperationID
	misplaced := eventstore.Event{Version: 7, Operations: []string{missing}, Hash: w.at(t, "g", 7).Hash}
	stray := eventstore.Event{Version: 9, Operations: []string{"stray"}, Hash: w.at(t, "g", 9).Hash}
	steps := []struct {
		name    string
		add     []eventstore.Event
		remove  map[string]eventstore.Version
		id      string
		version eventstore.Version
	}{
		{"missing", nil, map[string]eventstore.Version{missing: 1}, missing, 1},
		{"at another version", []eventstore.Event{misplaced}, nil, missing, 1},
		{"of no event", []eventstore.Event{stray}, nil, "stray", 0},
	}
	for _, step := range steps {
		if err := w.log.Reindex(t.Context(), "g", step.add, step.remove); err != nil {
			t.Fatal(err)
		}
		verified := w.verify(t, "g")
		if verified.Mismatches != 1 || !find(verified.First, "operation", step.id, step.version) {
			t.Errorf("%s: got %+v", step.name, verified)
		}
		for i, want := range []string{"different", "unchanged"} {
			rebuilt, err := w.keeper.Rebuild(t.Context(), "g", upkeep.RebuildOptions{})
			if err != nil || rebuilt.Outcome != want || rebuilt.Differences != 1-i {
				t.Errorf("%s: rebuild: got %+v, %v, want %s", step.name, rebuilt, err, want)
			}
		}
		w.mustBeWhole(t, writer)
	}
}

// at returns the event of one version.
func (w *world) at(t testing.TB, graph string, version eventstore.Version) eventstore.Event {
	t.Helper()
	events, err := w.log.Read(t.Context(), graph, version-1, 1)
	if err != nil || len(events) == 0 {
		t.Fatalf("version %d: %v, %v", version, events, err)
	}
	return events[0]
}
