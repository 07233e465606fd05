package upkeep_test

import (
	"errors"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

func TestCopy(t *testing.T) {
	for _, at := range []eventstore.Version{0, 1, 500, 1500} {
		for _, trimmed := range []bool{false, true} {
			w := inMemory().archived(newShelf())
			writer := w.write(t, "g", 1, 1500)
			events := w.all(t, w.log, "g")
			w.follow(t, "g")
			if trimmed {
				w.retain(t, "g", upkeep.Policy{Events: 100})
			}
			want := events
			if at > 0 {
				want = events[:at]
			}
			last := want[len(want)-1]
			got, err := w.keeper.Copy(t.Context(), "g", "h", at)
			if err != nil || got != (upkeep.Copied{GraphID: "h", From: "g", Version: last.Version, Hash: last.Hash}) {
				t.Fatalf("at %d, trimmed %t: got %+v, %v", at, trimmed, got, err)
			}
			if now := w.all(t, w.log, "h"); !sameEvents(now, want) {
				t.Errorf("at %d, trimmed %t: got %d events", at, trimmed, len(now))
			}
			w.follow(t, "h")
			if verified := w.verify(t, "h"); !verified.OK {
				t.Errorf("at %d, trimmed %t: got %+v", at, trimmed, verified)
			}
			w.mustBeWhole(t, writer) // the source
			compared, err := w.keeper.CompareLogs(t.Context(), "g", "h")
			if err != nil || compared.Common != last.Position() || compared.Same != (last.Version == 1500) {
				t.Errorf("at %d, trimmed %t: compared: got %+v, %v", at, trimmed, compared, err)
			}
		}
	}
}

// TestCopyWithABase: the source was trimmed, and nothing keeps what it had before.
func TestCopyWithABase(t *testing.T) {
	w := inMemory()
	w.write(t, "g", 1, 1500)
	events := w.all(t, w.log, "g")
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 500})
	if _, err := w.keeper.Copy(t.Context(), "g", "h", 999); !errors.Is(err, eventstore.ErrTrimmed) {
		t.Errorf("before the base: got %v", err)
	}
	for to, at := range map[string]eventstore.Version{"h": 0, "i": 1200, "j": 1000} {
		if at == 0 {
			at = 1500
		}
		got, err := w.keeper.Copy(t.Context(), "g", to, at)
		if err != nil || got.Version != at || got.Hash != events[at-1].Hash {
			t.Fatalf("at %d: got %+v, %v", at, got, err)
		}
		w.follow(t, to)
		if verified := w.verify(t, to); !verified.OK || verified.Version != at {
			t.Errorf("at %d: got %+v", at, verified)
		}
		one, err := projection.At(t.Context(), w.log, w.stores.Snapshots, "g", at)
		if err != nil {
			t.Fatal(err)
		}
		one.ID = to
		projectiontest.Same(t, w.models, one)
	}
}

func TestCopyRefuses(t *testing.T) {
	w := inMemory()
	w.write(t, "g", 1, 100)
	w.write(t, "h", 2, 10)
	tests := []struct {
		from, to string
		at       eventstore.Version
		err      error
	}{
		{"nobody", "i", 0, upkeep.ErrUnknown},
		{"g", "h", 0, upkeep.ErrConflict},
		{"g", "g", 0, upkeep.ErrConflict},
		{"g", "i", 101, projection.ErrAhead},
	}
	for _, test := range tests {
		if got, err := w.keeper.Copy(t.Context(), test.from, test.to, test.at); !errors.Is(err, test.err) {
			t.Errorf("%s to %s at %d: got %+v, %v, want %v", test.from, test.to, test.at, got, err, test.err)
		}
	}
	if streams, err := w.log.Streams(t.Context(), "", 10); err != nil || len(streams) != 2 {
		t.Errorf("there are %v, %v", streams, err)
	}
}

func TestCompareLogs(t *testing.T) {
	w := inMemory()
	w.write(t, "g", 1, 100)
	w.write(t, "other", 2, 100)
	for to, at := range map[string]eventstore.Version{"same": 0, "shorter": 40, "branch": 60} {
		if _, err := w.keeper.Copy(t.Context(), "g", to, at); err != nil {
			t.Fatal(err)
		}
	}
	head, _ := w.log.Head(t.Context(), "branch")
	data := []byte(`{"version":61}`)
	event := eventstore.Event{Version: 61, Data: data, Hash: eventstore.NextHash(head.Hash, data)}
	if _, err := w.log.Append(t.Context(), "branch", head, []eventstore.Event{event}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		a, b   string
		common eventstore.Version
		same   bool
	}{
		{"g", "same", 100, true}, {"g", "g", 100, true}, {"g", "shorter", 40, false}, {"shorter", "g", 40, false},
		{"g", "branch", 60, false}, {"branch", "shorter", 40, false}, {"g", "other", 0, false},
	}
	for _, test := range tests {
		got, err := w.keeper.CompareLogs(t.Context(), test.a, test.b)
		if err != nil || got.Common.Version != test.common || got.Same != test.same {
			t.Errorf("%s and %s: got %+v, %v, want %d in common", test.a, test.b, got, err, test.common)
		}
	}
	if _, err := w.keeper.CompareLogs(t.Context(), "g", "nobody"); !errors.Is(err, upkeep.ErrUnknown) {
		t.Errorf("unknown graph: got %v", err)
	}
}

// TestCompareTrimmedLogs: what both still have decides.
func TestCompareTrimmedLogs(t *testing.T) {
	w := inMemory()
	w.write(t, "g", 1, 1500)
	events := w.all(t, w.log, "g")
	if _, err := w.keeper.Copy(t.Context(), "g", "h", 1450); err != nil {
		t.Fatal(err)
	}
	w.write(t, "i", 2, 1500)
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 100})
	got, err := w.keeper.CompareLogs(t.Context(), "g", "h")
	if err != nil || got.Common != events[1449].Position() {
		t.Errorf("got %+v, %v, want version 1450 in common", got, err)
	}
	if got, err := w.keeper.CompareLogs(t.Context(), "g", "i"); err != nil || got.Common.Version != 0 {
		t.Errorf("got %+v, %v, want nothing in common", got, err)
	}
}
