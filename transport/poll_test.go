package transport

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// poll asks for the changes after a version and returns the body.
func (s *stage) poll(client *http.Client, graph, query string) (string, error) {
	response, err := client.Get(s.changesURL(graph, query))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// TestPollsShareOneRead has a thousand requests wait for one graph, wake, and wait again: the log is read for their hub,
// not for each of them.
func TestPollsShareOneRead(t *testing.T) {
	const polls, rounds = 1000, 3
	s := newStage(t)
	s.commands.move(t, "g", 1)
	h, err := s.server.holdHub(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	defer s.server.sockets.release(h)
	var reads atomic.Int64
	s.fault(func(call, graph string) error {
		if call == "read" || call == "head" {
			reads.Add(1)
		}
		return nil
	})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: polls}}
	defer client.CloseIdleConnections()
	for round := range rounds {
		var all sync.WaitGroup
		want := fmt.Sprintf(`{"version":%d,`, round+2)
		for range polls {
			all.Go(func() {
				body, err := s.poll(client, "g", fmt.Sprintf("since=%d&wait=20000", round+1))
				if err != nil || !strings.Contains(body, want) || !strings.HasSuffix(body, `"hasMore":false}`) {
					t.Errorf("got %.200s, %v, want %s", body, err, want)
				}
			})
		}
		eventually(t, "all wait", func() bool { return s.server.polls.Load() == polls })
		before := reads.Load()
		s.commands.move(t, "g", 1)
		all.Wait()
		if got := reads.Load() - before; got > 2 { // the hub's own tail
			t.Errorf("round %d: the log was read %d times for %d polls", round, got, polls)
		}
	}
	if got := reads.Load(); got > 2*rounds {
		t.Errorf("the log was read %d times in %d rounds", got, rounds)
	}
}

// TestPollAnswersAreThoseOfTheLog compares the answers out of the hub with those without one.
func TestPollAnswersAreThoseOfTheLog(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 20)
	h, err := s.server.holdHub(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	defer s.server.sockets.release(h)
	s.commands.move(t, "g", 20)
	eventually(t, "the hub knows", func() bool { return h.position() == s.commands.position("g") })
	for _, query := range []string{"since=0", "since=5", "since=19", "since=20", "since=25", "since=39", "since=41", "since=25&limit=3", "since=25&limit=15",
		"since=25&limit=14", "since=30&hash=", "since=30&hash=abc", "since=30&hash=" + string(s.folded(t, "g", 30).Position.Hash), "since=20&limit=1"} {
		want, err := s.poll(http.DefaultClient, "g", query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.poll(http.DefaultClient, "g", query+"&wait=5000"); got != want || err != nil {
			t.Errorf("%s: got %.300s, %v\nwant %.300s", query, got, err, want)
		}
	}
}

// TestPollIsToldOfAnotherHistory deletes a graph under a poll, and begins it anew up to the same version.
func TestPollIsToldOfAnotherHistory(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 3)
	answered := make(chan string, 1)
	go func() {
		body, err := s.poll(http.DefaultClient, "g", "since=3&wait=20000")
		answered <- fmt.Sprint(body, err)
	}()
	eventually(t, "it waits", func() bool { return s.server.polls.Load() == 1 })
	if err := s.commands.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.commands.move(t, "g", 3)
	if got := <-answered; !strings.HasPrefix(got, `{"status":"conflict","changes":[{"type":"FULL_UPDATE",`) {
		t.Errorf("got %.200s, want a conflict", got)
	}
}

// TestPollThatEndsLooksIntoTheLog has a hub that is behind the log.
func TestPollThatEndsLooksIntoTheLog(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 3)
	h, err := s.server.holdHub(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	defer s.server.sockets.release(h)
	h.stop() // its Tail sees nothing any more
	s.commands.move(t, "g", 1)
	begin := time.Now()
	got, err := s.poll(http.DefaultClient, "g", "since=3&wait=200")
	if err != nil || !strings.Contains(got, `{"version":4,`) || time.Since(begin) < 200*time.Millisecond {
		t.Errorf("got %.200s, %v after %v, want version 4", got, err, time.Since(begin))
	}
}
