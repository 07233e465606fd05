// Package transport is the edge of the system: HTTP, WebSocket and Server-Sent Events as API.md promises them to clients.
//
// A request passes one gate (access.go), which tells who sent it and whether they may, and the rates; its form and size
// are checked; then it is handed to package command or answered from the log (deltas) or the read models (states,
// entities). Every refusal is a problem document (RFC 9457), made in errors.go from the one table of errors.
//
// Who follows a graph pulls: a hub (hub.go) keeps the newest events in a ring, the only queue there is, and each session
// (session.go), stream (stream.go) and long poll (poll.go) has a cursor. A session's flush writes whatever came since its
// last write; catchUp brings one nearer that has fallen behind the ring. Beside the events a session is sent replies
// (outbox.go) and, where it has time for them, the presence of others (presence.go).
//
// An answer 202 means that the event is in the log, never less. A state is served at the version of the read model's
// checkpoint at the time of the request, whole (I5), and never below a minVersion asked for (I6). Deltas come straight
// from the log, in order and without a hole (I4). Nothing is retried here: a client whose call ended in
// outcome-unknown sends it again with the same operation id.
//
// All exported functions and methods are safe for concurrent use. Deciding, storing and folding are left to the
// packages below; listening and the order of shutdown to cmd.
package transport

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
	"graphy/projection/upkeep"
	"graphy/transport/limit"
)

// Commands carries out what changes a graph; *command.Processor is one.
type Commands interface {
	Submit(ctx context.Context, graph string, command *command.Command, reply func(command.Outcome, error))
	Do(ctx context.Context, graph string, command *command.Command) (command.Outcome, error)
	DoEach(ctx context.Context, graph string, commands []*command.Command) []command.Result
	Operation(ctx context.Context, graph, id string) (command.Operation, error)
	Delete(ctx context.Context, graph string) error
	Refused(graph string, identity command.Identity, err error)
	Head(graph string) eventstore.Version
}

var _ Commands = (*command.Processor)(nil)

// Services are what the transport serves. All are safe for concurrent use; nil where a role that needs it is off.
type Services struct {
	Commands Commands
	Log      eventstore.Log
	// Live is the log without its archive, for those who follow a graph: whoever is behind what it keeps begins anew from a
	// state. Default Log.
	Live   eventstore.Log
	Models projection.ReadModels
	// Snapshots shorten the way to states of the past; with nil it always is all of the log.
	Snapshots projection.Snapshots
	// Await returns nil once the read models of graph have reached version, or ctx's error.
	Await func(ctx context.Context, graph string, version eventstore.Version) error
	// Tickets, Clients and Presence are what the processes share beside the log. With nil there are no tickets, and
	// clients that come back and presence are known to this process alone.
	Tickets  Tickets
	Clients  Clients
	Presence Presence
	// Rates are the buckets of rates that processes share. With nil each process has its own.
	Rates limit.Source
	// Ready says whether the process can do its work; it is asked for each /readyz.
	Ready func(ctx context.Context) Readiness

	// What follows is for operators alone. What is nil is not to be had here, and the routes that need it say so.

	Upkeep     *upkeep.Keeper
	Maintainer eventstore.Maintainer
	Letters    projection.DeadLetters
	Archive    *archive.Archive
	// Policy is what logs are trimmed by where a request does not say.
	Policy upkeep.Policy
	// Kicks reach the clients of other processes. With nil only those of this one can be kicked.
	Kicks Kicks
	// Sizes returns how many bytes a graph takes in the store.
	Sizes func(ctx context.Context, graph string) (int64, error)
	// Doctor looks at the whole installation.
	Doctor func(ctx context.Context) (Diagnosis, error)
	// Config returns what the process goes by, secrets hidden.
	Config func() []Setting
	// MintToken makes a token; nil where there is no secret to sign it with.
	MintToken func(request TokenRequest) (Token, error)
	// Seed makes a demo graph. It calls progress, which is quick, now and then.
	Seed func(ctx context.Context, request SeedRequest, progress func(done, total int)) (Seeded, error)
}

// Readiness is what /readyz tells. The zero value is not ready.
type Readiness struct {
	OK       bool
	Reasons  []string // why not, each with the remedy in words
	Warnings []string // what an operator should know though the process is ready: parked graphs, weak durability
}

// Options configure a Server. The zero value of a limit is its default.
type Options struct {
	API, Realtime bool     // the roles of this process; with both off only health is served
	Development   bool     // no tokens: everybody is who they say they are, and may do everything
	Verifier      Verifier // of tokens; nil in development mode alone
	Origins       []string // exact origins of browsers that may call; none: the server's own, and loopback in development

	Limits command.Limits // of what commands hold; a Processor's are the same

	Beat       time.Duration // between comments in an idle event stream; default 15s
	BodyLimit  int           // bytes of a body or frame; default 1 MiB
	CacheBytes int           // encoded states kept; default 64 MiB
	LongPolls  int           // requests that wait for changes at a time; default 10,000
	PastLimit  time.Duration // the longest a query of the past works: squash, diff, state?at; default 30s
	PastReads  int           // queries of the past that work at a time; default 4
	ReadLimit  time.Duration // the longest a query waits for the stores; default 2.5s
	WaitLimit  time.Duration // the longest a command waits to be completed; default 5s
	Grace      time.Duration // how long a client that left can come back and be continued; default 300s

	Rates          RateOptions      // of requests, commands and frames; the zero value: none
	Connections    ConnectionLimits // of what stays open: WebSockets and streams
	TrustedProxies []netip.Prefix   // whose word on a client's address counts; default nobody's
	Timeouts       Timeouts         // of HTTPServer

	Logger   *zap.Logger          // default discards
	Audit    *zap.Logger          // of denials, limits and owners' acts, all at level info; default Logger
	Registry *prometheus.Registry // where metrics go; default one of its own
}

// Server answers clients. Its handlers work from New on; Run does what goes on between requests.
type Server struct {
	services Services
	opts     Options
	parser   *command.Parser
	logger   *zap.Logger
	audit    *audit
	metrics  *metrics
	states   *states
	tails    *tails
	lag      lagMeter
	polls    atomic.Int64  // requests that wait for changes
	past     chan struct{} // holds one for each query of the past that is at work
	acts     chan struct{} // holds one for each long act of an operator that is at work

	public, admin http.Handler

	serving context.Context // done when Drain begins
	drain   context.CancelFunc

	sockets     *sockets // the WebSocket half, see ws.go
	connections *connections
	streams     streams
	rates       *rates
}

// New returns a Server on services. It starts nothing.
func New(services Services, opts Options) *Server {
	opts.Beat = cmp.Or(opts.Beat, 15*time.Second)
	opts.BodyLimit = cmp.Or(opts.BodyLimit, command.MaxBody)
	opts.CacheBytes = cmp.Or(opts.CacheBytes, 64<<20)
	opts.LongPolls = cmp.Or(opts.LongPolls, 10_000)
	opts.PastLimit = cmp.Or(opts.PastLimit, 30*time.Second)
	opts.PastReads = cmp.Or(opts.PastReads, 4)
	opts.ReadLimit = cmp.Or(opts.ReadLimit, 2500*time.Millisecond)
	opts.WaitLimit = cmp.Or(opts.WaitLimit, 5*time.Second)
	opts.Grace = cmp.Or(opts.Grace, 300*time.Second)
	opts.Connections = opts.Connections.orDefault(opts.Development)
	opts.Timeouts = opts.Timeouts.orDefault()
	opts.Logger = cmp.Or(opts.Logger, zap.NewNop())
	opts.Registry = cmp.Or(opts.Registry, prometheus.NewRegistry())
	if services.Live == nil {
		services.Live = services.Log
	}
	s := &Server{services: services, opts: opts, parser: command.NewParser(opts.Limits), logger: opts.Logger}
	s.audit = newAudit(cmp.Or(opts.Audit, opts.Logger))
	s.serving, s.drain = context.WithCancel(context.Background())
	s.metrics = newMetrics(opts.Registry)
	s.states = newStates(services.Models, opts.CacheBytes)
	s.tails = newTails(s.services.Live, opts.CacheBytes/2)
	s.past = make(chan struct{}, opts.PastReads)
	s.acts = make(chan struct{}, longActs)
	s.connections = newConnections(opts.Connections)
	s.rates = newRates(services.Rates, opts.Rates, opts.Registry, opts.Logger)
	s.sockets = newSockets(s)
	s.public = s.protect(s.limitAddresses(s.routes()))
	s.admin = s.protect(s.adminRoutes())
	return s
}

// Handler serves clients: the public listener.
func (s *Server) Handler() http.Handler { return s.public }

// AdminHandler serves operators: /metrics, /healthz, /readyz, and what they may do (admin.go). It belongs on a listener of
// its own.
func (s *Server) AdminHandler() http.Handler { return s.admin }

// HTTPServer returns a server of handler at addr that cannot be held up by slow senders or idle connections. Its time
// limits leave room for the longest poll.
func (s *Server) HTTPServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: s.opts.Timeouts.Header,
		ReadTimeout:       s.opts.Timeouts.Request,
		WriteTimeout:      s.opts.Timeouts.Answer,
		IdleTimeout:       s.opts.Timeouts.Idle,
		MaxHeaderBytes:    32 << 10,
		ConnContext:       noticeVanished,
		ErrorLog:          zap.NewStdLog(s.logger),
	}
}

// Run does the work between requests until ctx is done: hubs and sessions of WebSockets. It returns nil when ctx
// ended it.
func (s *Server) Run(ctx context.Context) error {
	var sweeping sync.WaitGroup
	sweeping.Go(func() { s.rates.run(ctx) })
	if s.services.Kicks != nil {
		sweeping.Go(func() { s.services.Kicks.Subscribe(ctx, s.kickHere) })
	}
	defer sweeping.Wait()
	defer s.audit.flush()
	err := s.sockets.run(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Drain makes the server not ready, ends what waits for news, and says good-bye to WebSockets once their commands are
// answered, at the latest when ctx is done. Requests are answered on: http.Server.Shutdown comes after it.
func (s *Server) Drain(ctx context.Context) error {
	s.drain()
	return s.sockets.drain(ctx)
}
