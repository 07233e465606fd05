package eventstoretest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"graphy/eventstore"
)

func deleteStartsAnew(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	if err := log.Delete(ctx, "g"); err != nil {
		t.Fatalf("unknown stream: %v", err)
	}
	old := Numbered(eventstore.Position{}, 3)
	must(t, log, "g", eventstore.Position{}, old)
	must(t, log, "h", eventstore.Position{}, Numbered(eventstore.Position{}, 1))
	if err := log.Delete(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	if position, err := log.Head(ctx, "g"); err != nil || position != (eventstore.Position{}) {
		t.Errorf("head: got %v, %v, want none", position, err)
	}
	if versions, err := log.Operations(ctx, "g", old[0].Operations...); err != nil || versions[0] != 0 {
		t.Errorf("operations: got %v, %v, want none", versions, err)
	}
	if names, err := log.Streams(ctx, "", 10); err != nil || !slices.Equal(names, []string{"h"}) {
		t.Errorf("streams: got %q, %v, want h alone", names, err)
	}
	if active, err := log.Active(ctx, 10); err != nil || len(active) != 1 || active[0].Stream != "h" {
		t.Errorf("active: got %v, %v, want h alone", active, err)
	}
	if got, err := log.Append(ctx, "g", old[2].Position(), Numbered(old[2].Position(), 1)); err != nil || got.Outcome != eventstore.Conflict || got.Head != 0 {
		t.Errorf("append after the old head: got %+v, %v, want Conflict, head 0", got, err)
	}
	anew := Chain(eventstore.Position{}, `{"anew":1}`, `{"anew":2}`)
	anew[0].Operations = old[0].Operations
	must(t, log, "g", eventstore.Position{}, anew)
	same(t, "anew", all(t, log, "g"), anew)
	if names, err := log.Streams(ctx, "", 10); err != nil || !slices.Equal(names, []string{"g", "h"}) {
		t.Errorf("streams: got %q, %v, want g, h", names, err)
	}
}

func streamsPages(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	var want []string
	for i := range 40 {
		name := fmt.Sprintf("graph-%02d", i*7%40)
		want = append(want, name)
		must(t, log, name, eventstore.Position{}, Numbered(eventstore.Position{}, 1+i%2))
	}
	slices.Sort(want)
	for _, limit := range []int{1, 7, 40, 1000} {
		var got []string
		for cursor := ""; ; cursor = got[len(got)-1] {
			page, err := log.Streams(ctx, cursor, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > limit {
				t.Fatalf("limit %d: a page of %d", limit, len(page))
			}
			if got = append(got, page...); len(page) == 0 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
	if page, err := log.Streams(ctx, "graph-38x", 10); err != nil || !slices.Equal(page, []string{"graph-39"}) {
		t.Errorf("after a name that is none: got %q, %v, want graph-39", page, err)
	}
	if page, err := log.Streams(ctx, "", 0); err != nil || len(page) != 0 {
		t.Errorf("limit 0: got %q, %v, want none", page, err)
	}
}

func activeAndSettle(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	names := func(limit int) (names []string) {
		t.Helper()
		active, err := log.Active(ctx, limit)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(active, func(a, b eventstore.ActiveStream) int { return a.Marked.Compare(b.Marked) }) {
			t.Errorf("active: %v, want the longest unmarked first", active)
		}
		for _, one := range active {
			names = append(names, one.Stream)
		}
		return names
	}
	if got := names(10); len(got) != 0 {
		t.Fatalf("at first: %q", got)
	}
	first := Numbered(eventstore.Position{}, 1)
	must(t, log, "a", eventstore.Position{}, first)
	must(t, log, "b", eventstore.Position{}, Numbered(eventstore.Position{}, 1))
	if got := names(10); !slices.Contains(got, "a") || !slices.Contains(got, "b") || len(got) != 2 {
		t.Fatalf("got %q, want a, b", got)
	}
	if got := names(1); len(got) != 1 {
		t.Errorf("limit 1: got %q", got)
	}
	marked := markOf(ctx, t, log, "a")
	if err := log.Settle(ctx, "a", marked.Add(-time.Millisecond)); err != nil || !slices.Contains(names(10), "a") {
		t.Errorf("settled by an older mark: %v", err)
	}
	// The second append of a stream marks again, even right after the first.
	must(t, log, "a", first[0].Position(), Numbered(first[0].Position(), 1))
	if err := log.Settle(ctx, "a", marked); err != nil || !slices.Contains(names(10), "a") {
		t.Errorf("settled although marked again: %v", err)
	}
	if err := log.Settle(ctx, "a", markOf(ctx, t, log, "a")); err != nil || slices.Contains(names(10), "a") {
		t.Errorf("not settled: %v", err)
	}
	if err := log.Settle(ctx, "a", marked); err != nil {
		t.Errorf("settled twice: %v", err)
	}
}

func markOf(ctx context.Context, t *testing.T, log eventstore.Log, stream string) time.Time {
	t.Helper()
	active, err := log.Active(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range active {
		if one.Stream == stream {
			return one.Marked
		}
	}
	t.Fatalf("%s is not active", stream)
	return time.Time{}
}

// appends listens while others append, and ends with its context.
func appends(t *testing.T, log eventstore.Log) {
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	heard := make(chan eventstore.Notice)
	go func() {
		defer close(heard)
		for notice := range log.Appends(ctx) {
			select {
			case heard <- notice:
			case <-ctx.Done():
			}
		}
	}()
	// Listening begins at its own time: append until it is heard.
	at := eventstore.Position{}
	var notice eventstore.Notice
	for notice.Stream == "" {
		events := Numbered(at, 2)
		must(t, log, "g", at, events)
		at = events[1].Position()
		select {
		case notice = <-heard:
		case <-time.After(10 * time.Millisecond):
		}
	}
	if notice.Stream != "g" || notice.Head == 0 || notice.Head > at.Version || notice.Head%2 != 0 {
		t.Errorf("got %+v, want one of the appends up to %d", notice, at.Version)
	}
	if n := len(notice.Events); n > 0 && (n != 2 || notice.Events[1].Version != notice.Head) {
		t.Errorf("its events are %v, want the appended ones", notice.Events)
	}
	cancel()
	for range heard {
	}
}
