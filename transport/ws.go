package transport

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/olahol/melody"

	"graphy/command"
)

// Close codes of our own (API.md, WebSocket); the others are the protocol's.
const (
	closeTooSlow   = 4001
	closeBadToken  = 4501
	closeForbidden = 4502
)

const (
	subprotocol = "graphy.v2"
	sessionKey  = "session"
)

// socketLimits bound what one process spends on WebSockets.
type socketLimits struct {
	frame           int64         // bytes of a frame from a client; over it 1009
	inFlight        int           // commands of one connection that wait for their answer; over it they are refused
	write           time.Duration // a client that takes nothing for so long is closed
	ping            time.Duration // between pings
	silence         time.Duration // a peer that answers no ping for so long is gone
	join            time.Duration // longest wait for the first sync, then 1013
	presenceSilence time.Duration // another process that tells nothing of presence for so long is gone
	remember        time.Duration // how long a client that left can come back and be continued
	hubLinger       time.Duration // how long a graph without sessions is still followed
}

// sockets is the WebSocket half of a Server: a session for each connection, a hub for each graph with sessions, and
// what is remembered of clients that left.
//
// Goroutines of its own (hubs, catch-ups, look-ups) are started by spawn and hang on ctx; they begin with the first
// session and end with the last, or with run.
type sockets struct {
	server    *Server
	limits    socketLimits
	melody    *melody.Melody
	clients   *clients
	presences *presences
	expiries  expiries
	metrics   socketMetrics
	clock     atomic.Int64 // time since the start, as of the keeper's last look

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex // after a hub's and a session's, never before
	hubs     map[string]*hub
	sessions map[*session]struct{}
	draining bool
	ended    bool // nothing new begins
}

func newSockets(server *Server) *sockets {
	w := &sockets{
		server: server,
		limits: socketLimits{
			frame:           int64(server.opts.BodyLimit),
			inFlight:        1024,
			write:           10 * time.Second,
			ping:            15 * time.Second,
			silence:         38 * time.Second,
			join:            10 * time.Second,
			presenceSilence: 15 * time.Second,
			remember:        server.opts.Grace,
			hubLinger:       5 * time.Second,
		},
		melody:   melody.New(),
		hubs:     map[string]*hub{},
		sessions: map[*session]struct{}{},
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.metrics = newSocketMetrics(server.opts.Registry)
	w.clients = newClients(w)
	w.presences = newPresences(w, server.opts.Registry)
	w.configure()
	return w
}

// never is longer than melody has anything to do: it makes the handshake, keeps the list of connections, and says when
// one begins and ends. Reading, writing and pings are ours, see session.
const never = 1000 * time.Hour

// configure hands limits and handlers to melody, whose own defaults let everybody in.
func (w *sockets) configure() {
	w.melody.Config = &melody.Config{PongWait: never, PingPeriod: never, WriteWait: w.limits.write}
	w.melody.Upgrader = &websocket.Upgrader{
		HandshakeTimeout:  w.limits.write,
		ReadBufferSize:    4 << 10,
		WriteBufferSize:   4 << 10,
		WriteBufferPool:   &sync.Pool{},
		EnableCompression: true,
		Subprotocols:      []string{subprotocol},
		CheckOrigin:       w.server.originAllowed,
		Error:             w.refuseUpgrade,
	}
	w.melody.HandleConnect(func(ws *melody.Session) { sessionOf(ws).begin(ws) })
	w.melody.HandleDisconnect(func(ws *melody.Session) { sessionOf(ws).disconnected() })
}

// sessionOf returns our session of melody's. The keys are set before it begins and never written to again.
func sessionOf(ws *melody.Session) *session { return ws.Keys[sessionKey].(*session) }

// refuseUpgrade answers a request that is no handshake.
func (w *sockets) refuseUpgrade(writer http.ResponseWriter, r *http.Request, status int, reason error) {
	refusal := refuse(invalidQuery, "only a WebSocket handshake is answered here: %v", reason)
	switch status {
	case http.StatusForbidden:
		refusal = refuse(forbidden, "this origin may not call this server")
	case http.StatusInternalServerError:
		refusal = refuse(command.Internal, "%v", reason)
		w.server.logInternal(refusal, "websocket handshake failed")
	}
	w.server.writeProblem(writer, r, problemOf(refusal))
}

// spawn starts a goroutine of ours and reports whether it did: not after run is over.
func (w *sockets) spawn(work func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	w.work.Go(work)
	return true
}

// pause waits before another try, the longer the more tries there were, and reports whether there is to be one.
func pause(ctx context.Context, tries int) bool {
	wait := min(20*time.Millisecond<<min(tries, 10), 2*time.Second)
	timer := time.NewTimer(wait/2 + rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
