package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// audience is the subscribers of a graph. Each folds all that it is sent, comes back when it is cut off, and so proves
// I4: what it is sent is ordered, without hole or double, and leads to the server's state.
type audience struct {
	graph string
	group sync.WaitGroup
	ctx   context.Context
	stop  context.CancelFunc

	writes context.Context // done when nothing is to be written any more
	hush   context.CancelFunc
	pens   sync.WaitGroup // of those who write

	mu          sync.Mutex
	subscribers []*subscriber
	offences    []string
	closes      map[int]int       // close codes that ended connections, 0 for none
	warned      int               // going_away frames
	became      map[string]uint64 // operation id → version at which it was acknowledged, 0: never
}

// subscriber is one of them.
type subscriber struct {
	follower
	places []string // base addresses that it connects to in turn
	named  bool     // it comes back by its clientId alone; else by the version and hash that it has
	client string
	lastID string // of a stream

	header func() http.Header                     // of each connection; nil: none
	speak  func(context.Context, *websocket.Conn) // sends frames while it is connected; nil: it is silent

	version atomic.Uint64 // the follower's, for others to read
	joins   atomic.Int64
	live    atomic.Bool // it had its sync
}

func gather(t testing.TB, graph string) *audience {
	a := &audience{graph: graph, closes: map[int]int{}, became: map[string]uint64{}}
	a.ctx, a.stop = context.WithCancel(context.Background())
	a.writes, a.hush = context.WithCancel(a.ctx)
	t.Cleanup(a.end)
	return a
}

func (a *audience) end() {
	a.stop()
	a.pens.Wait()
	a.group.Wait()
}

// add starts a subscriber over WebSocket.
func (a *audience) add(named bool, places ...string) *subscriber {
	return a.admit(&subscriber{named: named, places: places}, a.watch)
}

// admit starts a subscriber whose sessions return a breach of the contract, or nil when they were cut off.
func (a *audience) admit(s *subscriber, session func(*subscriber, string) error) *subscriber {
	s.follower, s.client = follower{replica: newReplica()}, "c-"+newID()
	a.mu.Lock()
	a.subscribers = append(a.subscribers, s)
	a.mu.Unlock()
	a.group.Go(func() { a.attend(s, session) })
	return s
}

func (a *audience) offence(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offences = append(a.offences, fmt.Sprintf(format, args...))
}

// attend connects again and again.
func (a *audience) attend(s *subscriber, session func(*subscriber, string) error) {
	for turn := 0; a.ctx.Err() == nil; turn++ {
		if err := session(s, s.places[turn%len(s.places)]); err != nil {
			a.offence("subscriber %s at version %d: %v", s.client, s.replica.version, err)
			return
		}
		s.live.Store(false)
		pause(a.ctx, 20*time.Millisecond)
	}
}

// watch is a session over WebSocket.
func (a *audience) watch(s *subscriber, place string) error {
	query := url.Values{"clientId": {s.client}}
	if !s.named && s.replica.version > 0 {
		query.Set("clientVersion", fmt.Sprint(s.replica.version))
		query.Set("hash", s.replica.hash)
	}
	dialer := websocket.Dialer{HandshakeTimeout: 5 * time.Second, Subprotocols: []string{"graphy.v2"}}
	conn, _, err := dialer.DialContext(a.ctx, "ws"+place[len("http"):]+"/api/v2/graphs/"+a.graph+"/subscribe?"+query.Encode(), s.headers())
	if err != nil {
		return nil
	}
	defer conn.Close()
	defer context.AfterFunc(a.ctx, func() { conn.Close() })()
	socket := &socket{conn: conn, frames: make(chan frame, 1<<14)}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		socket.read()
	}()
	defer func() { conn.Close(); <-reading }()
	s.synced = false
	if s.speak != nil {
		speaking, stop := context.WithCancel(a.ctx)
		defer stop()
		go s.speak(speaking, conn)
	}
	for {
		f, err := socket.wait(time.Minute)
		if errors.Is(err, errSilent) && a.ctx.Err() == nil {
			continue
		}
		if err != nil {
			a.ended(err)
			return nil
		}
		if f.kind == "going_away" {
			a.mu.Lock()
			a.warned++
			a.mu.Unlock()
		}
		if err := s.take(f); err != nil {
			return fmt.Errorf("I4: %w: %.200s", err, f.raw)
		}
		if f.kind == "sync" {
			s.joins.Add(1)
			s.live.Store(true)
		}
		if s.version.Store(s.replica.version); s.named && f.kind == "state_update" && f.version()%50 == 0 {
			_ = conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"heartbeat","clientVersion":%d}`, f.version())) // or it is cut off
		}
	}
}

// note puts down what became of an operation.
func (a *audience) note(id string, version uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.became[id] = version
}

func (s *subscriber) headers() http.Header {
	if s.header == nil {
		return http.Header{}
	}
	return s.header()
}

func (a *audience) ended(err error) {
	code := 0
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		code = closed.Code
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closes[code]++
}

// awaitLive waits until each subscriber is connected and synced.
func (a *audience) awaitLive(t testing.TB) {
	t.Helper()
	a.awaitEach(t, "every subscriber is live", func(s *subscriber) bool { return s.live.Load() })
}

// awaitEach waits until a condition holds for every subscriber, or one has seen a breach of the contract.
func (a *audience) awaitEach(t testing.TB, what string, holds func(*subscriber) bool) {
	t.Helper()
	await(t, 40*time.Second, what, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, s := range a.subscribers {
			if !holds(s) {
				return len(a.offences) > 0
			}
		}
		return true
	})
}

// verify waits until all stand where the log ends, and holds what they folded against it.
func (a *audience) verify(t testing.TB, server *server) {
	t.Helper()
	a.hush()
	a.pens.Wait()
	want := server.fold(t, a.graph)
	for id, version := range a.became {
		if at := want.operations[id]; at != version {
			t.Errorf("I1: operation %s was acknowledged at version %d (0: not at all), in the log it is at %d", id, version, at)
		}
	}
	a.awaitEach(t, fmt.Sprintf("every subscriber stands at version %d", want.version),
		func(s *subscriber) bool { return s.version.Load() == want.version })
	a.end()
	for i, offence := range a.offences {
		if i == 5 {
			break
		}
		t.Error(offence)
	}
	joins := int64(0)
	for _, s := range a.subscribers {
		joins += s.joins.Load()
		if difference := s.replica.differs(want); difference != "" {
			t.Errorf("I4: subscriber %s and the log differ: %s", s.client, difference)
		}
	}
	t.Logf("%d subscribers, %d joins, version %d, ended by %v", len(a.subscribers), joins, want.version, a.closes)
}
