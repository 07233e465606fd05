package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answer is what a server says to a command that left the node with a title.
func answer(version int, status, title, more string) []byte {
	return fmt.Appendf(nil, `{"accepted":true,"operationId":"01","version":%d,"status":"%s","result":{"id":"n0","title":"%s"}%s}`, version, status, title, more)
}

func TestCrosserWorksOnTheAnswerBeforeTheNewest(t *testing.T) {
	var stats crossings
	c := &crosser{mover: newMover(1), path: "/", titles: true, place: 1, stats: &stats}
	for i, want := range []string{"", "", `"clientVersion":10,`, `"clientVersion":11,`} {
		request := string(c.next(nil, time.Now()))
		if has := strings.Contains(request, "clientVersion"); has != (want != "") || !strings.Contains(request, want) {
			t.Errorf("request %d: got %s, want %q in it", i, request, want)
		}
		if err := c.heard(answer(10+i, "processing", firstTitle(), `,"conflict":{"resolution":"merged"}`)); err != nil {
			t.Error(err)
		}
	}
	if got := stats.String(); stats.all.Load() != 2 || got != "100.0 %" {
		t.Errorf("got %d commands with a base, %s conflicting; want 2, all of them", stats.all.Load(), got)
	}
	for _, bad := range []string{`{}`, string(answer(14, "conflict", "", ""))} {
		if c.heard([]byte(bad)) == nil {
			t.Errorf("%s is taken for a good answer", bad)
		}
	}
}

// TestCrossersChangeWordsOfTheirOwn: one after the other, and each shows the change before it, too.
func TestCrossersChangeWordsOfTheirOwn(t *testing.T) {
	first := strings.Split(firstTitle(), " ")
	owner := map[int]int{}
	for place := range perGraph {
		c := &crosser{mover: newMover(1), place: place}
		for turn := range wordsPerClient {
			request := string(c.appendTitle(nil, time.Now(), seenNode{version: 7, title: firstTitle()}))
			_, rest, _ := strings.Cut(request, `"title":"`)
			title, _, _ := strings.Cut(rest, `"`)
			changed := 0
			for i, word := range strings.Split(title, " ") {
				if word == first[i] {
					continue
				}
				changed++
				if known, taken := owner[i]; word != "v7" || taken && known != place {
					t.Errorf("client %d makes %q of word %d, which is that of client %d", place, word, i, known)
				}
				owner[i] = place
			}
			if want := min(turn+1, 2); changed != want {
				t.Errorf("client %d, turn %d: %d words changed, want %d", place, turn, changed, want)
			}
		}
	}
	if len(owner) != len(first) {
		t.Errorf("got %d of %d words changed", len(owner), len(first))
	}
}

func TestAnotherVersionComesToEachOnce(t *testing.T) {
	next := anotherVersion("/state", &atomic.Int64{})
	seen := map[string]bool{}
	for range pastEvents {
		seen[string(next(nil, time.Time{}))] = true
	}
	if len(seen) != pastEvents {
		t.Errorf("got %d versions, want %d", len(seen), pastEvents)
	}
	for _, version := range []int{1, pastEvents} {
		if !seen[fmt.Sprintf("GET /state?at=%d HTTP/1.1\r\nHost: bench\r\n\r\n", version)] {
			t.Errorf("version %d is not asked for", version)
		}
	}
}
