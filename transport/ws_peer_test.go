package transport

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/websocket"

	"graphy/eventstore"
	"graphy/projection"
)

// peer is a WebSocket client that folds what it gets, and so proves I4: it fails the test at a hole, a double, a
// disorder, an update before the first sync, or a state that is not the server's.
type peer struct {
	testing.TB
	conn  *websocket.Conn
	graph *projection.Graph // what it has; nil before the first sync
	syncs int
	other []message // frames that are neither sync nor state_update and were not asked for yet
	lines [][]byte  // of a joined message, not looked at yet
	// again: what it gets may begin with versions that it has, until the next sync
}

// message is a frame, decoded as far as tests look.
type message struct {
	Type        string
	Status      string
	Version     eventstore.Version
	Hash        eventstore.Hash
	ClientID    string `json:"clientId"`
	Reconnected bool
	OperationID string `json:"operationId"`
	Accepted    bool
	Changes     []jsontext.Value
	State       jsontext.Value
	Result      jsontext.Value
	RetryAfter  int `json:"retryAfter"`
	Error       struct {
		Code   string
		Detail string
		Status int
	}
	Entities []struct {
		Kind, ID string
		Value    jsontext.Value
	}
	raw []byte
}

func (s *stage) url(path string) string { return "ws" + strings.TrimPrefix(s.http.URL, "http") + path }

// dial connects to a graph; query goes behind the question mark.
func (s *stage) dial(t testing.TB, graph, query string) *peer {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial(s.url("/api/v2/graphs/"+graph+"/subscribe?"+query), nil)
	if err != nil {
		t.Fatalf("dial: %v, %+v", err, response)
	}
	p := &peer{TB: t, conn: conn}
	t.Cleanup(func() { conn.Close() })
	return p
}

// join connects and takes the first sync.
func (s *stage) join(t testing.TB, graph, query string) *peer {
	t.Helper()
	p := s.dial(t, graph, query)
	p.expect("sync")
	return p
}

func (p *peer) send(frame string) {
	p.Helper()
	if err := p.conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		p.Fatalf("send %.100s: %v", frame, err)
	}
}

// read takes the next frame and folds it.
func (p *peer) read() (message, error) {
	if len(p.lines) == 0 {
		p.conn.SetReadDeadline(time.Now().Add(testPatience))
		kind, data, err := p.conn.ReadMessage()
		if err != nil {
			return message{}, err
		}
		if kind != websocket.TextMessage {
			return message{}, fmt.Errorf("frame of kind %d", kind)
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			p.lines = append(p.lines, []byte(line))
		}
	}
	m := message{raw: p.lines[0]}
	p.lines = p.lines[1:]
	if err := json.Unmarshal(m.raw, &m, json.MatchCaseInsensitiveNames(true)); err != nil {
		return m, fmt.Errorf("frame %.200q: %w", m.raw, err)
	}
	return m, p.fold(m)
}

func (p *peer) fold(m message) error {
	switch m.Type {
	case "sync":
		p.syncs++
		return p.takeSync(m)
	case "state_update":
		if p.graph == nil {
			return fmt.Errorf("I4: an update before the first sync: %.200s", m.raw)
		}
		change := append([]byte("{"), strings.TrimPrefix(string(m.raw), stateUpdatePrefix)...)
		return p.takeChange(change)
	}
	return nil
}

func (p *peer) takeSync(m message) error {
	switch {
	case m.State != nil:
		state, err := decodeState(m.State)
		if err != nil {
			return err
		}
		p.graph = state
	case p.graph == nil:
		p.graph = projection.NewGraph("")
		if m.Status == "in_sync" && m.Version > 0 { // it has a state from elsewhere, whose content does not matter
			p.graph.Position = eventstore.Position{Version: m.Version, Hash: m.Hash}
		}
	}
	for _, change := range m.Changes {
		if err := p.takeChange(change); err != nil {
			return err
		}
	}
	if at := (eventstore.Position{Version: m.Version, Hash: m.Hash}); p.graph.Position != at {
		return fmt.Errorf("I4: sync says %+v, what it brings leads to %+v", at, p.graph.Position)
	}
	return nil
}

// takeChange applies a change, which has to be the next one.
func (p *peer) takeChange(change []byte) error {
	cut := len(change) - len(`,"hash":"`) - 32 - len(`"}`)
	event := eventstore.Event{Version: p.graph.Position.Version + 1, Data: append(change[:cut:cut], '}'), Hash: eventstore.Hash(change[cut+9 : cut+41])}
	if want := eventstore.NextHash(p.graph.Position.Hash, event.Data); event.Hash != want {
		return fmt.Errorf("I4: change %.120s does not follow version %d", change, p.graph.Position.Version)
	}
	if err := p.graph.Fold(event); err != nil {
		return fmt.Errorf("I4: %w", err)
	}
	return nil
}

func decodeState(data []byte) (*projection.Graph, error) {
	var state struct {
		GraphID      string `json:"graphId"`
		Version      eventstore.Version
		Hash         eventstore.Hash
		Checksum     string
		Nodes, Edges []jsontext.Value
	}
	if err := json.Unmarshal(data, &state, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, err
	}
	graph := projection.NewGraph(state.GraphID)
	for _, node := range state.Nodes {
		if err := graph.Load(projection.Node, projection.Text(projection.Member(node, "id")), node); err != nil {
			return nil, err
		}
	}
	if got := graph.Checksum.String(); got != state.Checksum {
		return nil, fmt.Errorf("I4: state at %d has checksum %s, says %s", state.Version, got, state.Checksum)
	}
	graph.Position = eventstore.Position{Version: state.Version, Hash: state.Hash}
	return graph, nil
}

// next reads until a frame of that type comes; state_updates on the way are folded, others kept.
func (p *peer) next(kind string) (message, error) {
	for i, m := range p.other {
		if m.Type == kind {
			p.other = append(p.other[:i], p.other[i+1:]...)
			return m, nil
		}
	}
	for {
		m, err := p.read()
		if err != nil || m.Type == kind {
			return m, err
		}
		if m.Type != "state_update" {
			p.other = append(p.other, m)
		}
	}
}

func (p *peer) expect(kind string) message {
	p.Helper()
	m, err := p.next(kind)
	if err != nil {
		for _, m := range p.other {
			p.Logf("instead: %s", m.raw)
		}
		p.Fatalf("waiting for %s: %v", kind, err)
	}
	return m
}

// reach reads until the peer has come to a position.
func (p *peer) reach(at eventstore.Position) {
	p.Helper()
	for p.graph == nil || p.graph.Position.Version < at.Version {
		m, err := p.read()
		if err != nil {
			p.Fatalf("on the way to version %d: %v", at.Version, err)
		}
		if m.Type != "state_update" && m.Type != "sync" {
			p.other = append(p.other, m)
		}
	}
	if p.graph.Position != at {
		p.Fatalf("I4: peer is at %+v, the log at %+v", p.graph.Position, at)
	}
}

// closed reads to the end and returns the close code.
func (p *peer) closed() int {
	p.Helper()
	for {
		_, err := p.read()
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed):
			return closed.Code
		case err != nil:
			p.Logf("ended by %v", err)
			return 0
		}
	}
}

// leave closes in good order and waits until the server has seen it.
func (p *peer) leave() {
	p.Helper()
	p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(testPatience))
	p.conn.SetReadDeadline(time.Now().Add(testPatience))
	for {
		if _, _, err := p.conn.ReadMessage(); err != nil {
			break
		}
	}
	p.conn.Close()
}
