package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// perGraph is how many of the connections are on one graph.
const perGraph = connections / graphCount

// appendBase appends, to an object that is begun, the version that a command was made on.
func appendBase(dst []byte, version int64) []byte {
	return strconv.AppendInt(append(dst, `,"clientVersion":`...), version, 10)
}

// agreeing are workers that post moves as one client on each graph, so that nothing conflicts; if based, each move on the
// version of the newest answer to any of that client's connections.
func agreeing(addr string, based bool) []worker {
	newest := make([]atomic.Int64, graphCount)
	workers := make([]worker, connections)
	for i := range workers {
		m, graph, version := newMover(nodesPerGraph), graphName(i), &newest[i%graphCount]
		m.client = "tab-of-" + graph
		var body []byte
		next := func(dst []byte, now time.Time) []byte {
			body = m.appendMove(append(body[:0], `{"type":"UPDATE_NODE_POSITION"`...), now)
			if base := version.Load(); based && base > 0 {
				body = appendBase(body, base)
			}
			return appendPost(dst, apiPrefix+graph+"/command", m.appendClient(body))
		}
		workers[i] = dialogue(addr, 202, next, func(answer []byte) error {
			answered, err := versionOf(answer)
			raise(version, answered)
			return err
		})
	}
	return workers
}

// raise sets newest to a version, unless it is there or beyond.
func raise(newest *atomic.Int64, version int64) {
	for seen := newest.Load(); seen < version; seen = newest.Load() {
		if newest.CompareAndSwap(seen, version) {
			return
		}
	}
}

// crossings counts commands with a base, and those of them that conflicted.
type crossings struct{ all, conflicting atomic.Int64 }

func (c *crossings) String() string {
	return fmt.Sprintf("%.1f %%", 100*float64(c.conflicting.Load())/float64(max(c.all.Load(), 1)))
}

// crosser makes the commands of one client that works on the same node of a graph as others do. Each is made on what the
// answer before the newest showed: since then it has itself had one more answer, and the others about as many each.
type crosser struct {
	*mover
	path   string
	titles bool
	place  int // among the clients of the graph
	count  int
	seen   [2]seenNode // the newest answer, and the one before
	stats  *crossings
	body   []byte

	at   int    // where the word stands that it changed last
	word string // what to; "" before its first change
}

// seenNode is a node as an answer showed it.
type seenNode struct {
	version int64
	title   string
}

// A client changes each of its words of the title in turn, so that the edits that meet are never of one word.
const wordsPerClient = 4

// firstTitle is what the title of the node is before its words are changed.
func firstTitle() string {
	words := make([]string, perGraph*wordsPerClient)
	for i := range words {
		words[i] = fmt.Sprintf("word%d", i)
	}
	return strings.Join(words, " ")
}

// crossing are workers that move one node of each graph, or change its title, each as a client of its own.
func crossing(addr string, titles bool, stats *crossings) []worker {
	workers := make([]worker, connections)
	for i := range workers {
		c := &crosser{mover: newMover(1), path: apiPrefix + graphName(i) + "/command", titles: titles, place: i / graphCount, stats: stats}
		workers[i] = dialogue(addr, 202, c.next, c.heard)
	}
	return workers
}

// next appends a request: with a base, or, until two answers have been heard, a move without.
func (c *crosser) next(dst []byte, now time.Time) []byte {
	base := c.seen[1]
	if base.version > 0 && c.titles {
		c.body = c.appendTitle(append(c.body[:0], `{"type":"UPDATE_NODE_TITLE"`...), now, base)
	} else {
		c.body = c.appendMove(append(c.body[:0], `{"type":"UPDATE_NODE_POSITION"`...), now)
	}
	if base.version > 0 {
		c.body = appendBase(c.body, base.version)
	}
	return appendPost(dst, c.path, c.appendClient(c.body))
}

// appendTitle appends the operation id and the payload of a change of one word.
func (c *crosser) appendTitle(dst []byte, now time.Time, base seenNode) []byte {
	words := strings.Split(base.title, " ")
	c.count++
	at := c.place*wordsPerClient + c.count%wordsPerClient
	if at < len(words) {
		if c.word != "" { // its own change since the base, which its screen shows
			words[c.at] = c.word
		}
		c.at, c.word = at, "v"+strconv.FormatInt(base.version, 10)
		words[at] = c.word
	}
	id := c.operationID(now)
	return fmt.Appendf(dst, `,"operationId":"%s","payload":{"nodeId":"n0","title":"%s"}`, id, strings.Join(words, " "))
}

var (
	conflictMember = []byte(`,"conflict":{`)
	titleMember    = []byte(`"title":"`)
	leftOpen       = []byte(`"status":"conflict"`)
)

func (c *crosser) heard(answer []byte) error {
	version, err := versionOf(answer)
	if err != nil {
		return err
	}
	if bytes.Contains(answer, leftOpen) {
		return errors.New("edits of different words were left to a person to merge")
	}
	if c.seen[1].version > 0 {
		c.stats.all.Add(1)
		if bytes.Contains(answer, conflictMember) {
			c.stats.conflicting.Add(1)
		}
	}
	_, rest, _ := bytes.Cut(answer, titleMember)
	title, _, _ := bytes.Cut(rest, []byte(`"`))
	c.seen[1], c.seen[0] = c.seen[0], seenNode{version: version, title: string(title)}
	return nil
}
