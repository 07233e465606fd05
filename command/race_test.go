package command_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"graphy/command"
	"graphy/projection"
)

// race lets users, each on a process of its own, submit commands to one graph at once. It returns the errors.
func race(t *testing.T, s *site, users [][]string) (errs []error) {
	var answers sync.WaitGroup
	var mu sync.Mutex
	for i, bodies := range users {
		p := s.start(t, command.Options{Timeout: time.Minute})
		answers.Add(len(bodies))
		go func() {
			for _, body := range bodies {
				c, err := command.Parse([]byte(body), command.Identity{UserID: fmt.Sprint("u", i), ClientID: fmt.Sprint("tab-", i)})
				if err != nil {
					t.Errorf("%s: %v", body, err)
					answers.Done()
					continue
				}
				p.Submit(t.Context(), "g", c, func(_ command.Outcome, err error) {
					if err != nil {
						mu.Lock()
						errs = append(errs, err)
						mu.Unlock()
					}
					answers.Done()
				})
			}
		}()
	}
	answers.Wait()
	return errs
}

func TestI2VersionsWithoutHole(t *testing.T) {
	s, _ := newSite()
	mustDo(t, s.start(t, command.Options{}), create("n"))
	users := make([][]string, 4)
	const each = 250
	for i := range users {
		for j := range each {
			users[i] = append(users[i], fmt.Sprintf(`{"type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"p%d-%d":1}}}`, i, j))
		}
	}
	if errs := race(t, s, users); len(errs) > 0 {
		t.Errorf("%d refused: %v", len(errs), errs[0])
	}
	graph := s.fold(t)
	if graph.Position.Version != 1+4*each {
		t.Errorf("head: got %d", graph.Position.Version)
	}
	properties := 0
	for range projection.Members(graph.Value(projection.Node, "n")) {
		properties++
	}
	if properties != 4+4*each { // id, title and the two stamps
		t.Errorf("%d updates were lost", 4+4*each-properties)
	}
}

func TestConcurrentTitleAndPositionKeepBoth(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	const pairs = 500
	users := make([][]string, 2)
	for i := range pairs {
		base := mustDo(t, p, create(fmt.Sprint("n", i))).Version
		users[0] = append(users[0], fmt.Sprintf(`{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n%d","title":"new"},"clientVersion":%d}`, i, base))
		users[1] = append(users[1], fmt.Sprintf(`{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n%d","position":{"x":1,"y":2}},"clientVersion":%d}`, i, base))
	}
	if errs := race(t, s, users); len(errs) > 0 {
		t.Errorf("%d refused: %v", len(errs), errs[0])
	}
	for id, value := range s.fold(t).All(projection.Node) {
		if string(projection.Member(value, "title")) != `"new"` || string(projection.Member(value, "position")) != `{"x":1,"y":2}` {
			t.Errorf("%s lost a change: %s", id, value)
		}
	}
	events, _ := s.log.Read(t.Context(), "g", pairs, 2*pairs)
	for _, event := range events {
		if strings.Contains(string(event.Data), `"conflict":`) {
			t.Fatalf("title and position conflict: %s", event.Data)
		}
	}
}

func TestDeletedNodeStaysDeleted(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	const count = 500
	users := make([][]string, 3)
	for i := range count {
		base := mustDo(t, p, create(fmt.Sprint("n", i))).Version
		users[0] = append(users[0], fmt.Sprintf(`{"type":"DELETE_NODE","payload":{"nodeId":"n%d"},"clientVersion":%d}`, i, base))
		users[1] = append(users[1], fmt.Sprintf(`{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n%d","position":{"x":1,"y":2}},"clientVersion":%d}`, i, base))
		users[2] = append(users[2], fmt.Sprintf(`{"type":"DELETE_NODE","payload":{"nodeId":"n%d"},"clientVersion":%d}`, i, base))
	}
	for _, err := range race(t, s, users) {
		if codeOf(err) != command.NodeNotFound || !strings.Contains(err.Error(), "there is no node") {
			t.Fatalf("refused: %v", err)
		}
	}
	if left := s.fold(t).Len(projection.Node); left != 0 {
		t.Errorf("%d of %d nodes came back", left, count)
	}
}

func TestEdgesNeedTheirNodes(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	const count = 300
	users := make([][]string, 3)
	for i := range count {
		mustDo(t, p, create(fmt.Sprint("a", i)))
		mustDo(t, p, create(fmt.Sprint("b", i)))
		users[0] = append(users[0], fmt.Sprintf(`{"type":"DELETE_NODE","payload":{"nodeId":"b%d"}}`, i))
		for _, user := range []int{1, 2} {
			users[user] = append(users[user], fmt.Sprintf(`{"type":"CREATE_EDGE","payload":{"id":"e%d","source":"a%d","target":"b%d"}}`, i, i, i))
		}
	}
	made := 0
	for _, err := range race(t, s, users) {
		if code := codeOf(err); code != command.NodeNotFound && code != command.AlreadyExists {
			t.Fatalf("refused: %v", err)
		}
		made++
	}
	graph := s.fold(t) // which refuses an edge without its nodes, at every version
	if graph.Len(projection.Edge) != 0 || graph.Len(projection.Node) != count {
		t.Errorf("got %d nodes and %d edges", graph.Len(projection.Node), graph.Len(projection.Edge))
	}
	if made < count {
		t.Errorf("only %d were refused: edges of one id twice", made)
	}
	_, err := do(t, p, `{"type":"CREATE_EDGE","payload":{"id":"e","source":"a0","target":"nowhere"}}`)
	wantCode(t, "edge to nowhere", err, command.NodeNotFound)
}
