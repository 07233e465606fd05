package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	graphCount    = 16
	nodesPerGraph = 200
	mostCommands  = 1000 // operations of one batch
)

func graphName(i int) string { return fmt.Sprintf("bench-%02d", i%graphCount) }

// apiPrefix goes before the name of a graph.
const apiPrefix = "/api/v2/graphs/"

// mover makes commands that move random nodes of a graph, with operation ids and a client id of its own, as a browser
// sends them; without clientVersion and timestamp. It is for one goroutine.
type mover struct {
	client string
	nodes  int
	random *rand.Rand
	source uint16 // of its operation ids
	count  uint16
}

// started is what the times in operation ids count from.
var started = time.Now()

var movers atomic.Uint32

func newMover(nodes int) *mover {
	source := movers.Add(1)
	return &mover{client: "tab-" + strconv.Itoa(int(source)), nodes: nodes, source: uint16(source),
		random: rand.New(rand.NewPCG(uint64(source), 0))}
}

// operationID makes a ULID that tells when its command was sent, so that whoever sees the event knows how long it took.
func (m *mover) operationID(now time.Time) ulid.ULID {
	var id ulid.ULID
	_ = id.SetTime(uint64(now.UnixMilli())) // fails in the year 10889
	var nanos [8]byte
	binary.BigEndian.PutUint64(nanos[:], uint64(now.Sub(started)))
	copy(id[6:12], nanos[2:])
	binary.BigEndian.PutUint16(id[12:], m.source)
	m.count++
	binary.BigEndian.PutUint16(id[14:], m.count)
	return id
}

var operationMember = []byte(`"operationId":"`)

// stamp is what an operation id of a mover tells.
type stamp struct {
	sent   time.Time
	source uint16
}

// operationOf finds the operation id of a mover in a message.
func operationOf(message []byte) (id []byte, ok bool) {
	at := bytes.Index(message, operationMember)
	if at < 0 || len(message) < at+len(operationMember)+ulid.EncodedSize {
		return nil, false
	}
	return message[at+len(operationMember):][:ulid.EncodedSize], true
}

// stampOf reads the operation id of a mover in a message.
func stampOf(message []byte) (stamp, bool) {
	var id ulid.ULID
	if text, ok := operationOf(message); !ok || id.UnmarshalText(text) != nil {
		return stamp{}, false
	}
	var nanos [8]byte
	copy(nanos[2:], id[6:12])
	return stamp{
		sent:   started.Add(time.Duration(binary.BigEndian.Uint64(nanos[:]))),
		source: binary.BigEndian.Uint16(id[12:]),
	}, true
}

var versionMember = []byte(`"version":`)

// versionOf returns the version that a message names.
func versionOf(message []byte) (version int64, err error) {
	at := bytes.Index(message, versionMember)
	digits := 0
	if at >= 0 {
		for _, digit := range message[at+len(versionMember):] {
			if digit < '0' || digit > '9' || digits == mostDigits {
				break
			}
			version = version*10 + int64(digit-'0')
			digits++
		}
	}
	if digits == 0 {
		return 0, fmt.Errorf("no version in %.120q", message)
	}
	return version, nil
}

// mostDigits of a version fit into 64 bits.
const mostDigits = 18

// appendMove appends, to an object that is begun, the operation id and the payload of a move.
func (m *mover) appendMove(dst []byte, now time.Time) []byte {
	dst = append(dst, `,"operationId":"`...)
	at := len(dst)
	dst = append(dst, make([]byte, ulid.EncodedSize)...)
	_ = m.operationID(now).MarshalTextTo(dst[at:]) // fails for a wrong size alone
	dst = append(dst, `","payload":{"nodeId":"n`...)
	dst = strconv.AppendInt(dst, int64(m.random.IntN(m.nodes)), 10)
	dst = strconv.AppendInt(append(dst, `","position":{"x":`...), int64(m.random.IntN(4000)), 10)
	dst = strconv.AppendInt(append(dst, `,"y":`...), int64(m.random.IntN(3000)), 10)
	return append(dst, `}}`...)
}

func (m *mover) appendClient(dst []byte) []byte {
	return append(append(append(dst, `,"clientId":"`...), m.client...), `"}`...)
}

// body appends the body of a POST.
func (m *mover) body(dst []byte, now time.Time) []byte {
	return m.appendClient(m.appendMove(append(dst, `{"type":"UPDATE_NODE_POSITION"`...), now))
}

// frame appends a WebSocket message; the client is the connection's.
func (m *mover) frame(dst []byte, now time.Time) []byte {
	return append(m.appendMove(append(dst, `{"type":"command","command":"UPDATE_NODE_POSITION"`...), now), '}')
}

// operation appends an operation of a batch.
func (m *mover) operation(dst []byte, now time.Time) []byte {
	return append(m.appendMove(append(dst, `{"type":"UPDATE_NODE_POSITION"`...), now), '}')
}

// poster makes whole HTTP requests of a mover's commands.
func poster(path string, m *mover) func(dst []byte, now time.Time) []byte {
	var body []byte
	return func(dst []byte, now time.Time) []byte {
		body = m.body(body[:0], now)
		return appendPost(dst, path, body)
	}
}

// prepare creates the graphs that the rows work on, once.
func (l *lab) prepare(ctx context.Context) error {
	if l.prepared {
		return nil
	}
	for i := range graphCount {
		if err := l.createGraph(ctx, graphName(i), nodesPerGraph, 0); err != nil {
			return err
		}
	}
	l.prepared = true
	return nil
}

// ensureGraph creates a graph unless this run has done so.
func (l *lab) ensureGraph(ctx context.Context, graph string, nodes, edges int) error {
	if l.graphs[graph] {
		return nil
	}
	l.graphs[graph] = true
	return l.createGraph(ctx, graph, nodes, edges)
}

// createGraph creates nodes n0, n1 … and edges e0, e1 … between them.
func (l *lab) createGraph(ctx context.Context, graph string, nodes, edges int) error {
	operations := make([]string, 0, nodes+edges)
	for i := range nodes {
		operations = append(operations, fmt.Sprintf(`{"type":"CREATE_NODE","payload":{"id":"n%d","title":"Step %d","type":"task",`+
			`"position":{"x":%d,"y":%d},"data":{"label":"Step %d","status":"open","tags":["a","b"]}}}`, i, i, i%40*100, i/40*80, i))
	}
	for i := range edges {
		operations = append(operations, fmt.Sprintf(`{"type":"CREATE_EDGE","payload":{"id":"e%d","source":"n%d","target":"n%d","label":"then"}}`,
			i, i%nodes, (i*7+1)%nodes))
	}
	for len(operations) > 0 {
		count := min(len(operations), mostCommands)
		body := `{"atomic":true,"operations":[` + strings.Join(operations[:count], ",") + `]}`
		url := "http://" + l.graphyAddr + apiPrefix + graph + "/batch?wait=completed"
		if _, err := l.call(ctx, "POST", url, strings.NewReader(body)); err != nil {
			return fmt.Errorf("create graph %s: %w", graph, err)
		}
		operations = operations[count:]
	}
	return nil
}
