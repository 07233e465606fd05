package redis_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/redis"
)

// stalls parks graphs of that many names.
func stalls(t testing.TB, models *redis.Models, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		letter := projection.DeadLetter{Graph: fmt.Sprint("g", n), Version: 1, Cause: "poison", Attempts: 3, Payload: []byte("{}"), Time: 1}
		if err := models.Stall(t.Context(), letter.Graph, eventstore.Position{}, letter); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLettersAmongForeignEntries: what others have written into the stream hides none of ours, and fails nothing.
func TestLettersAmongForeignEntries(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	vandal := vandal{client, store.Keys()}
	for _, key := range []string{store.Keys().DeadLetters(), store.Keys().DeadLettersClosed()} {
		vandal.do(t, "XADD", key, "*", "x", "y")
		vandal.do(t, "XADD", key, "*", "graph", "g0", "version", "one", "attempts", "3", "timestamp", "1")
		vandal.do(t, "XADD", key, "*", "graph", "", "version", "1", "attempts", "3", "timestamp", "1", "id", "x")
	}
	stalls(t, models, 0, 150)
	for range 250 {
		vandal.do(t, "XADD", store.Keys().DeadLetters(), "*", "x", "y")
	}
	vandal.do(t, "XADD", store.Keys().DeadLetters(), "18446744073709551614-7", "x", "y")
	stalls(t, models, 150, 151)
	listed, err := models.Letters(t.Context(), false, "", "", 1000)
	if err != nil || len(listed) != 151 || listed[0].Graph != "g150" || listed[150].Graph != "g0" {
		t.Fatalf("got %d letters, %v, want 151", len(listed), err)
	}
	for _, letter := range listed {
		if done, err := models.CloseLetter(t.Context(), letter.ID, projection.Closing{Outcome: "discarded"}); err != nil || !done {
			t.Errorf("close %s: %v, %v", letter.ID, done, err)
		}
	}
	if listed, err = models.Letters(t.Context(), true, "", "", 1000); err != nil || len(listed) != 151 || listed[0].Graph != "g0" {
		t.Errorf("got %d closed letters, %v, want 151", len(listed), err)
	}
	if count, err := models.OpenLetters(t.Context()); err != nil || count != 254 {
		t.Errorf("got %d, %v, want the foreign ones alone", count, err)
	}
}

// TestClosedOnce: a letter is closed by one of those who try at once, and whoever died while closing it has done it.
func TestClosedOnce(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	stalls(t, models, 0, 20)
	listed, err := models.Letters(t.Context(), false, "", "", 100)
	if err != nil || len(listed) != 20 {
		t.Fatal(len(listed), err)
	}
	for i, letter := range listed {
		var done atomic.Int64
		var closing sync.WaitGroup
		for by := range 4 {
			closing.Go(func() {
				of := models
				if i%2 == 0 && by == 0 { // it dies after it has added it to the closed ones
					of = redis.New(&mortal{Client: client, left: 2, after: true}, store.Keys(), redis.Options{})
				}
				closed, err := of.CloseLetter(t.Context(), letter.ID, projection.Closing{Outcome: "discarded", By: strconv.Itoa(by)})
				if closed {
					done.Add(1)
				}
				if err != nil && of == models {
					t.Errorf("close: %v", err)
				}
			})
		}
		closing.Wait()
		if done.Load() != 1 && (done.Load() != 0 || i%2 == 1) {
			t.Errorf("letter %d was closed %d times", i, done.Load())
		}
		if got, found, err := models.Letter(t.Context(), letter.ID); !found || err != nil || got.Closed == nil || got.Graph != letter.Graph {
			t.Errorf("letter %d: got %+v, %v, %v", i, got, found, err)
		}
	}
	for closed, want := range map[bool]int{false: 0, true: 20} {
		if left, err := models.Letters(t.Context(), closed, "", "", 100); err != nil || len(left) != want {
			t.Errorf("closed %t: got %d, %v, want %d", closed, len(left), err, want)
		}
	}
}

// TestClosedLettersAreBounded keeps about the newest ten thousand.
func TestClosedLettersAreBounded(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	script := `for i = 1, 10500 do redis.call('XADD', KEYS[1], '*', 'id', '1-' .. i, 'graph', 'old', 'version', '1', 'cause', '',
		'attempts', '1', 'payload', '', 'timestamp', '1', 'outcome', '', 'reason', '', 'by', '', 'closed', '1') end`
	if err := (vandal{client, store.Keys()}).do(t, "EVAL", script, "1", store.Keys().DeadLettersClosed()).Error(); err != nil && err.Error() != "redis nil message" {
		t.Fatal(err)
	}
	stalls(t, models, 0, 1)
	listed, err := models.Letters(t.Context(), false, "", "", 1)
	if err != nil || len(listed) != 1 {
		t.Fatal(listed, err)
	}
	if done, err := models.CloseLetter(t.Context(), listed[0].ID, projection.Closing{}); !done || err != nil {
		t.Fatal(done, err)
	}
	length, err := client.Do(t.Context(), client.B().Xlen().Key(store.Keys().DeadLettersClosed()).Build()).AsInt64()
	if err != nil || length < 10_000 || length > 10_200 {
		t.Errorf("got %d closed letters, %v, want about 10,000", length, err)
	}
	if oldest, found, err := models.Letter(t.Context(), "1-600"); !found || err != nil || oldest.Graph != "old" {
		t.Errorf("an old one: got %+v, %v, %v", oldest, found, err)
	}
}
