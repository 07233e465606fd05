package projectiontest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
)

// Office is read models, and the dead letters of their graphs.
type Office interface {
	projection.ReadModels
	projection.DeadLetters
}

// RunDeadLetters is the suite that dead letters pass. Open returns empty ones, and the log that read models are of.
func RunDeadLetters(t *testing.T, open func(t *testing.T) (Office, eventstore.Log)) {
	t.Run("list and close", func(t *testing.T) { testLetters(t, open) })
	t.Run("TestI11ReleaseAfterRepair", func(t *testing.T) { testRelease(t, open) })
}

func stall(t testing.TB, office Office, graph string, version eventstore.Version) {
	t.Helper()
	letter := projection.DeadLetter{Graph: graph, Version: version, Cause: "poison", Attempts: 3, Payload: []byte("{\"ü\":\"\x00\"}"), Time: 5}
	if err := office.Stall(t.Context(), graph, eventstore.Position{}, letter); err != nil {
		t.Fatalf("stall: %v", err)
	}
}

// letters returns the graphs of the letters that are listed, and checks that each can be had by its id.
func letters(t testing.TB, office Office, closed bool, graph, before string, limit int) (graphs []string, ids []string) {
	t.Helper()
	listed, err := office.Letters(t.Context(), closed, graph, before, limit)
	if err != nil {
		t.Fatalf("letters: %v", err)
	}
	for _, letter := range listed {
		one, found, err := office.Letter(t.Context(), letter.ID)
		if err != nil || !found || !reflect.DeepEqual(one, letter) || (letter.Closed != nil) != closed {
			t.Errorf("letter %s: got %+v, %v, %v, want %+v", letter.ID, one, found, err, letter)
		}
		graphs, ids = append(graphs, letter.Graph), append(ids, letter.ID)
	}
	return graphs, ids
}

func testLetters(t *testing.T, open func(t *testing.T) (Office, eventstore.Log)) {
	office, _ := open(t)
	ctx := t.Context()
	wants := func(closed bool, graph, before string, limit int, want string) []string {
		t.Helper()
		graphs, ids := letters(t, office, closed, graph, before, limit)
		if got := fmt.Sprint(graphs); got != want {
			t.Errorf("letters (closed %t, graph %q, before %q, limit %d): got %s, want %s", closed, graph, before, limit, got, want)
		}
		return ids
	}
	wants(false, "", "", 10, "[]")
	for _, graph := range []string{"a", "b", "c", "d"} {
		stall(t, office, graph, 1)
		stall(t, office, graph, 1)
	}
	stall(t, office, "b", 2)
	ids := wants(false, "", "", 10, "[b d c b a]")
	wants(false, "", "", 2, "[b d]")
	wants(false, "", "", 0, "[]")
	wants(false, "", ids[1], 2, "[c b]")
	wants(false, "b", "", 10, "[b b]")
	wants(false, "b", ids[0], 10, "[b]")
	wants(false, "nobody", "", 10, "[]")
	wants(false, "", ids[4], 10, "[]")
	letter, _, err := office.Letter(ctx, ids[0])
	want := projection.DeadLetter{Graph: "b", Version: 2, Cause: "poison", Attempts: 3, Payload: []byte("{\"ü\":\"\x00\"}"), Time: 5}
	if err != nil || !reflect.DeepEqual(letter.DeadLetter, want) {
		t.Errorf("letter: got %+v, %v, want %+v", letter, err, want)
	}
	for _, id := range []string{"", "-", "+", "0", "1-1", "x-y", "99999999999999999999-0", "18446744073709551615-18446744073709551615"} {
		if _, found, err := office.Letter(ctx, id); found || err != nil {
			t.Errorf("letter %q: got %v, %v, want none", id, found, err)
		}
		if done, err := office.CloseLetter(ctx, id, projection.Closing{}); done || err != nil {
			t.Errorf("close %q: got %v, %v, want false", id, done, err)
		}
	}

	closing := projection.Closing{Outcome: "discarded", Reason: "no \"use\"\n", By: "u1", Time: 7}
	for _, i := range []int{3, 0, 4} { // b, the other b, a
		for _, want := range []bool{true, false} {
			if done, err := office.CloseLetter(ctx, ids[i], closing); done != want || err != nil {
				t.Errorf("close %s: got %v, %v, want %v", ids[i], done, err, want)
			}
		}
	}
	if letter, found, err := office.Letter(ctx, ids[0]); err != nil || !found || letter.Closed == nil || *letter.Closed != closing ||
		!reflect.DeepEqual(letter.DeadLetter, want) {
		t.Errorf("closed letter: got %+v, %v, %v", letter, found, err)
	}
	wants(false, "", "", 10, "[d c]")
	wants(false, "", ids[0], 10, "[d c]") // it was before them and is closed since
	wants(true, "", "", 10, "[a b b]")
	wants(true, "", ids[4], 10, "[b b]")
	wants(true, "b", "", 1, "[b]")
	wants(true, "b", ids[0], 10, "[b]")
	wants(true, "", ids[1], 10, "[]")
	if count, err := office.OpenLetters(ctx); count != 2 || err != nil {
		t.Errorf("open letters: got %d, %v, want 2", count, err)
	}
}

// testRelease parks a graph, whose letter is closed and which is released: it fails again, with another letter, until it is
// repaired; then it goes on.
func testRelease(t *testing.T, open func(t *testing.T) (Office, eventstore.Log)) {
	office, log := open(t)
	w := NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	Append(t, log, "g", w.Events(10)...)
	Append(t, log, "g", w.Poison())
	projector := Project(t, log, office, projection.ProjectorOptions{Backoff: time.Millisecond, Sweep: 10 * time.Millisecond})
	seen := ""
	for round := range 3 {
		until(t, func() bool { return len(projector.Parked()) == 1 })
		_, ids := letters(t, office, false, "", "", 10)
		if len(ids) != 1 || ids[0] == seen {
			t.Fatalf("round %d: got letters %v, want another one than %q", round, ids, seen)
		}
		seen = ids[0]
		if done, err := office.CloseLetter(t.Context(), seen, projection.Closing{Outcome: "retried"}); !done || err != nil {
			t.Fatalf("close: %v, %v", done, err)
		}
		if round == 2 { // there is nothing left to fail
			if err := log.Delete(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
			w = NewWriter("g", rand.New(rand.NewPCG(1, 1)))
			Append(t, log, "g", w.Events(12)...)
		}
		if err := office.Release(t.Context(), "g"); err != nil {
			t.Fatalf("release: %v", err)
		}
		if round < 2 {
			until(t, func() bool {
				_, ids := letters(t, office, false, "", "", 10)
				return len(ids) == 1
			})
		}
	}
	Await(t, projector, w.Graph)
	Same(t, office, w.Graph)
	if parked := projector.Parked(); len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
	if err := office.Release(t.Context(), "nobody"); err != nil {
		t.Errorf("release of nobody: %v", err)
	}
}

// until waits for something to come true.
func until(t testing.TB, is func() bool) {
	t.Helper()
	for start := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("waited for too long")
		}
	}
}
