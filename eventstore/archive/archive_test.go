package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

// archived returns an archive of events in segments of so many.
func archived(t testing.TB, store Store, graph string, events []eventstore.Event, per int) *Archive {
	t.Helper()
	a, at := New(store), 0
	for part := range slices.Chunk(events, per) {
		mustPut(t, a, graph, before(events, at), part)
		at += len(part)
	}
	return a
}

func TestPutAndRead(t *testing.T) {
	events := history(eventstore.Position{}, 1000, "m")
	a := archived(t, newHeap(), "g", events, 100)
	through := endOf(events)
	tests := []struct {
		after      eventstore.Version
		limit      int
		from, upTo int
	}{
		{0, 10, 0, 10}, {0, 1000, 0, 1000}, {0, 5000, 0, 1000}, {95, 10, 95, 105}, {100, 100, 100, 200}, {99, 1, 99, 100},
		{999, 10, 999, 1000}, {1000, 10, 0, 0}, {2000, 10, 0, 0}, {5, 0, 0, 0}, {5, -1, 0, 0},
	}
	for _, test := range tests {
		page, err := a.Read(t.Context(), "g", through, test.after, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("after %d, limit %d", test.after, test.limit), page, events[test.from:test.upTo])
	}
	backward := []struct {
		before     eventstore.Version
		limit      int
		from, upTo int
	}{
		{0, 10, 990, 1000}, {0, 5000, 0, 1000}, {5000, 3, 997, 1000}, {106, 10, 95, 105}, {101, 100, 0, 100}, {2, 10, 0, 1}, {1, 10, 0, 0}, {0, 0, 0, 0},
	}
	for _, test := range backward {
		page, err := a.ReadBackward(t.Context(), "g", through, test.before, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("before %d, limit %d", test.before, test.limit), page, reversed(events[test.from:test.upTo]))
	}
	// A history may be followed from anywhere, also from the middle of a segment.
	page, err := a.Read(t.Context(), "g", events[149].Position(), 90, 1000)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "through 150", page, events[90:150])
	for _, wrong := range []eventstore.Position{{Version: 150, Hash: events[150].Hash}, {Version: 1000, Hash: events[0].Hash}, {Version: 1001, Hash: events[0].Hash}} {
		if _, err := a.Read(t.Context(), "g", wrong, 0, 10); !errors.Is(err, ErrNotFound) {
			t.Errorf("through %v: got %v, want ErrNotFound", wrong, err)
		}
		if _, err := a.ReadBackward(t.Context(), "g", wrong, 0, 10); !errors.Is(err, ErrNotFound) {
			t.Errorf("backward through %v: got %v, want ErrNotFound", wrong, err)
		}
	}
	if _, err := a.Read(t.Context(), "G", through, 0, 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("another graph: got %v", err)
	}
	if page, err := a.Read(t.Context(), "g", eventstore.Position{}, 0, 10); err != nil || page != nil {
		t.Errorf("through nothing: got %v, %v", page, err)
	}
}

// However a history was cut into segments, of which some overlap and some are another history's, what is read is that
// history, as far as the segments of it reach without a hole.
func TestReadAnyCuts(t *testing.T) {
	trunk := history(eventstore.Position{}, 60, "trunk")
	histories := [][]eventstore.Event{trunk, append(slices.Clone(trunk[:25]), history(trunk[24].Position(), 40, "fork")...),
		history(eventstore.Position{}, 50, "other")}
	rapid.Check(t, func(t *rapid.T) {
		store := newHeap()
		a := New(store)
		covered := map[eventstore.Position]bool{}
		for range rapid.IntRange(0, 12).Draw(t, "segments") {
			events := rapid.SampledFrom(histories).Draw(t, "history")
			from := rapid.IntRange(0, len(events)-1).Draw(t, "from")
			to := rapid.IntRange(from+1, len(events)).Draw(t, "to")
			if _, err := a.Put(context.Background(), "g", before(events, from), events[from:to]); err != nil {
				t.Fatal(err)
			}
			for _, event := range events[from:to] {
				covered[event.Position()] = true
			}
		}
		for range 10 {
			events := rapid.SampledFrom(histories).Draw(t, "history")
			through := rapid.IntRange(1, len(events)).Draw(t, "through")
			after := rapid.IntRange(0, through-1).Draw(t, "after")
			limit := rapid.IntRange(1, 70).Draw(t, "limit")
			// The chain leads to through, and from there down to after, without a hole.
			low := through
			for low > 0 && covered[events[low-1].Position()] {
				low--
			}
			page, err := a.Read(context.Background(), "g", events[through-1].Position(), eventstore.Version(after), limit)
			if low <= after {
				if err != nil {
					t.Fatal(err)
				}
				want := events[after:min(after+limit, through)]
				if len(page) != len(want) || eventstore.VerifyChain("g", before(events, after), page) != nil || endOf(page) != endOf(want) {
					t.Fatalf("after %d, limit %d: got %d events, want %d", after, limit, len(page), len(want))
				}
			} else if !errors.Is(err, ErrNotFound) {
				t.Fatalf("after %d through %d, covered from %d on: got %d events, %v", after, through, low, len(page), err)
			}
			// Backward, a hole ends the page.
			page, err = a.ReadBackward(context.Background(), "g", events[through-1].Position(), 0, limit)
			want := reversed(events[max(low, through-limit):through])
			if len(want) == 0 && !errors.Is(err, ErrNotFound) || len(want) > 0 && err != nil || len(page) != len(want) {
				t.Fatalf("backward through %d, limit %d, covered from %d on: got %d events, %v", through, limit, low, len(page), err)
			}
			for i := range page {
				if page[i].Position() != want[i].Position() {
					t.Fatalf("backward: event %d is %v, want %v", i, page[i].Position(), want[i].Position())
				}
			}
		}
		// The tips are what no covered event follows from.
		tips, err := a.Tips(context.Background(), "g")
		if err != nil {
			t.Fatal(err)
		}
		var want []eventstore.Position
		for at := range covered {
			ends := true
			for _, events := range histories {
				next := int(at.Version)
				if next < len(events) && before(events, next) == at && covered[events[next].Position()] {
					ends = false
				}
			}
			if ends {
				want = append(want, at)
			}
		}
		slices.SortFunc(want, comparePositions)
		slices.Reverse(want)
		slices.SortFunc(tips, comparePositions)
		slices.Reverse(tips)
		if !slices.Equal(tips, want) {
			t.Fatalf("tips: got %v, want %v", tips, want)
		}
	})
}

func TestSegmentsTipsGraphs(t *testing.T) {
	store := newHeap()
	events, other := history(eventstore.Position{}, 30, "m"), history(eventstore.Position{}, 20, "other")
	a := archived(t, store, "g", events, 10)
	mustPut(t, a, "g", eventstore.Position{}, other)
	mustPut(t, a, "G:1", eventstore.Position{}, other)
	for _, name := range []string{"g/foreign", "g/foreign.events.zst", "g~/x.events.zst", "README", "g/" + strings.Repeat("0", 20) + "-0" + baseSuffix} {
		store.objects[name] = []byte("foreign")
	}
	segments, err := a.Segments(t.Context(), "g")
	if err != nil || len(segments) != 4 || segments[0].To != events[9].Position() || segments[3].To != endOf(events) {
		t.Errorf("segments: %v, %v", segments, err)
	}
	for _, segment := range segments {
		if segment.Bytes != int64(len(store.objects[segment.name()])) {
			t.Errorf("%v is not its size", segment.Bytes)
		}
	}
	if tips, err := a.Tips(t.Context(), "g"); err != nil || !slices.Equal(tips, []eventstore.Position{endOf(events), endOf(other)}) {
		t.Errorf("tips: %v, %v", tips, err)
	}
	if tips, err := a.Tips(t.Context(), "none"); err != nil || tips != nil {
		t.Errorf("tips of none: %v, %v", tips, err)
	}
	var graphs []string
	for graph, err := range a.Graphs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		graphs = append(graphs, graph)
	}
	if slices.Sort(graphs); !slices.Equal(graphs, []string{"G:1", "g"}) {
		t.Errorf("graphs: %v", graphs)
	}
	if err := errors.Join(a.Delete(t.Context(), "g"), a.Delete(t.Context(), "none")); err != nil {
		t.Fatal(err)
	}
	if segments, err := a.Segments(t.Context(), "g"); err != nil || len(segments) > 0 {
		t.Errorf("deleted: %v, %v", segments, err)
	}
	if _, err := a.Read(t.Context(), "g", endOf(events), 0, 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if segments, err := a.Segments(t.Context(), "G:1"); err != nil || len(segments) != 1 {
		t.Errorf("what was not deleted: %v, %v", segments, err)
	}
}

func TestBases(t *testing.T) {
	store := newHeap()
	events := history(eventstore.Position{}, 50, "m")
	fork := append(slices.Clone(events[:20]), history(events[19].Position(), 30, "fork")...)
	a := archived(t, store, "g", events, 10)
	mustPut(t, a, "g", events[19].Position(), fork[20:])
	put := func(at eventstore.Position) {
		t.Helper()
		if err := a.PutBase(t.Context(), "g", eventstore.Base{Position: at, Data: []byte("state " + at.Hash)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []int{10, 20, 30, 35, 50} { // 35 is in the middle of a segment
		put(events[at-1].Position())
	}
	put(fork[39].Position())
	tests := []struct {
		through eventstore.Position
		at      eventstore.Version
		want    int // 0: none
		fork    bool
	}{
		{endOf(events), 100, 50, false}, {endOf(events), 49, 35, false}, {endOf(events), 34, 30, false}, {endOf(events), 29, 20, false},
		{endOf(events), 9, 0, false}, {events[34].Position(), 100, 35, false}, {events[33].Position(), 100, 30, false},
		{endOf(fork), 100, 40, true}, {endOf(fork), 39, 20, false}, {eventstore.Position{}, 100, 0, false},
		{eventstore.Position{Version: 50, Hash: events[0].Hash}, 100, 0, false},
	}
	for _, test := range tests {
		base, found, err := a.Bases(t.Context(), "g", test.through, test.at)
		if err != nil || found != (test.want > 0) {
			t.Errorf("through %v at %d: got %v, %v, %v", test.through, test.at, base, found, err)
			continue
		}
		history := events
		if test.fork {
			history = fork
		}
		if found && (base.Position != history[test.want-1].Position() || string(base.Data) != "state "+string(base.Hash)) {
			t.Errorf("through %v at %d: got %v, want version %d", test.through, test.at, base.Position, test.want)
		}
	}
	// A base that is damaged is passed over, until there is none.
	for i, at := range []int{35, 30, 20, 10} {
		store.objects[baseName("g", events[at-1].Position())][20] ^= 1
		base, found, err := a.Bases(t.Context(), "g", endOf(events), 49)
		if want := []eventstore.Version{30, 20, 10, 0}[i]; want > 0 && (!found || err != nil || base.Version != want) {
			t.Errorf("%d is damaged: got %v, %v, %v", at, base.Position, found, err)
		} else if want == 0 && (found || !errors.Is(err, ErrDamaged)) {
			t.Errorf("all are damaged: got %v, %v, %v", base.Position, found, err)
		}
	}
	for _, bad := range []eventstore.Base{{}, {Position: endOf(events)}, {Position: eventstore.Position{Version: 3, Hash: "x"}, Data: []byte("x")}} {
		if err := a.PutBase(t.Context(), "g", bad); err == nil {
			t.Errorf("%v was put", bad)
		}
	}
}
