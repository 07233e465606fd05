package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"graphy/command"
	commandredis "graphy/command/redis"
	"graphy/projection"
	projectionredis "graphy/projection/redis"
	"graphy/projection/upkeep"
	"graphy/transport"
	"graphy/transport/auth"
	transportredis "graphy/transport/redis"
)

// drainLimit is how long a stopping server lets what is under way end.
const drainLimit = 10 * time.Second

func newServeCommand() *cobra.Command {
	c := &config{}
	var environment error
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve HTTP and WebSocket (the default)",
		Example: "  graphy serve\n" +
			"  GRAPHY_REDIS_URL=redis://127.0.0.1:6379 graphy serve --addr 127.0.0.1:8080",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if environment != nil {
				return environment
			}
			if err := c.check(); err != nil {
				return err
			}
			logger, err := newLogger(c.LogLevel)
			if err != nil {
				return err
			}
			defer func() { _ = logger.Sync() }()
			if c.audit, err = newAudit(); err != nil {
				return err
			}
			c.settings = settingsOf(cmd.Flags())
			return serve(cmd.Context(), c, logger, cmd.OutOrStdout())
		},
	}
	environment = c.bind(cmd)
	return cmd
}

// gcPercent lets the heap of short-lived commands grow further between collections than Go does by default.
const gcPercent = 200

// serve listens, opens what it works on, and answers until ctx is done; then it drains.
func serve(ctx context.Context, c *config, logger *zap.Logger, out io.Writer) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	policy, err := c.conflictPolicy()
	if err != nil {
		return err
	}
	verifier, err := c.Tokens.verifier(logger)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("listen for clients (GRAPHY_ADDR): %w", err)
	}
	defer listener.Close()
	operators, err := c.listenAdmin(logger)
	if err != nil {
		return err
	}
	if operators != nil {
		defer operators.Close()
	}
	back, err := openBackend(ctx, c, logger, out)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, back.close()) }()
	n := newNode(c, back, policy, verifier, logger)
	n.banner(ctx, out, listener.Addr(), operators)
	return n.run(ctx, listener, operators)
}

// listenAdmin listens for operators; nil if they have no listener. A default address that is taken, by a second server on
// one machine, gives way to a free one.
func (c *config) listenAdmin(logger *zap.Logger) (net.Listener, error) {
	if c.AdminAddr == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", c.AdminAddr)
	if err != nil && !c.adminChosen {
		logger.Warn("the operators' default address is taken, choosing a free one", zap.Error(err))
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for operators (GRAPHY_ADMIN_ADDR): %w", err)
	}
	return listener, nil
}

// node is one running process: the parts, wired.
type node struct {
	config     *config
	back       *backend
	verifier   *auth.Verifier // nil in development mode
	logger     *zap.Logger
	projector  *projection.Projector
	models     *projectionredis.Models
	past       projection.Snapshots        // what states of the past are folded from
	clients    *transportredis.Clients     // what clients of all processes have
	snapshots  *projection.Snapshotter     // nil: none are taken here
	projectors *projectionredis.Projectors // nil: this process does not share the work
	keeper     *upkeep.Keeper
	lags       *projection.LagWatch // nil: nobody looks here
	sampler    *upkeep.Sampler      // nil: nothing is verified here
	retainer   *upkeep.Retainer     // nil: nothing is trimmed here
	recorder   *commandredis.Recorder
	processor  *command.Processor
	server     *transport.Server
}

func newNode(c *config, back *backend, policy *command.Policy, verifier *auth.Verifier, logger *zap.Logger) *node {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n := &node{config: c, back: back, verifier: verifier, logger: logger}
	n.models = projectionredis.New(back.client, back.keys, projectionredis.Options{})
	n.past = projection.WithBase(upkeep.WithArchive(n.models, back.maintainer, back.archive), back.maintainer)
	n.clients = transportredis.NewClients(back.client, back.keys, transportredis.ClientsOptions{})
	n.newProjector(registry)
	n.newKeeper(registry)
	n.recorder = commandredis.New(back.client, back.keys, logger)
	n.processor = command.New(back.log, n.models, n.recorder,
		command.Options{Limits: c.Limits.ofCommands(), Policy: policy, Snapshots: n.past, Logger: logger, Metrics: command.NewMetrics(registry)})
	n.server = n.newServer(registry)
	return n
}

// newServer returns the edge towards clients and operators.
func (n *node) newServer(registry *prometheus.Registry) *transport.Server {
	c, back := n.config, n.back
	services := transport.Services{
		Commands: n.processor, Log: back.log, Live: back.live, Models: n.models, Snapshots: n.past, Await: n.projector.Await, Ready: n.ready,
		Tickets: transportredis.NewTickets(back.client, back.keys), Clients: n.clients,
	}
	n.serveOperators(&services)
	if c.RedisURL != "" { // the Redis inside is this process's alone: what would be shared is here
		services.Presence = transportredis.NewPresence(back.store)
		services.Rates = transportredis.NewRates(back.client, back.keys)
	}
	options := transport.Options{
		API: c.has("api"), Realtime: c.has("realtime"), Development: n.verifier == nil, Origins: c.Origins,
		BodyLimit: c.Limits.MaxBody, Limits: c.Limits.ofCommands(), Connections: c.Limits.ofConnections(),
		Rates: c.Rates.options(), Logger: n.logger, Audit: c.audit, Registry: registry,
	}
	options.TrustedProxies, _ = parseProxies(c.TrustedProxies) // they were checked
	if n.verifier != nil {                                     // a nil one would be a Verifier that is not nil
		options.Verifier = n.verifier
	}
	return transport.New(services, options)
}

// run serves until ctx is done, then drains: not ready, finish what is under way, say good-bye, stop the loops.
func (n *node) run(ctx context.Context, listener, operators net.Listener) error {
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	group, failed := errgroup.WithContext(loops)
	group.Go(func() error { return n.recorder.Run(loops) })
	group.Go(func() error { return n.server.Run(loops) })
	n.runProjector(loops, group)
	n.runUpkeep(loops, group)
	if n.verifier != nil {
		group.Go(func() error { return n.verifier.Run(loops) })
	}
	if n.back.run != nil {
		group.Go(func() error { return n.back.run(loops) })
	}
	public := n.serveHTTP(group, listener, n.server.Handler())
	servers := []*http.Server{public}
	if operators != nil {
		servers = append(servers, n.serveHTTP(group, operators, n.server.AdminHandler()))
	}
	select {
	case <-ctx.Done():
		n.logger.Info("stopping: finishing what is under way")
	case <-failed.Done():
	}
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	n.drain(drained, servers)
	stopLoops()
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	n.logger.Info("stopped")
	return nil
}

func (n *node) serveHTTP(group *errgroup.Group, listener net.Listener, handler http.Handler) *http.Server {
	server := n.server.HTTPServer(listener.Addr().String(), handler)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
		return nil
	})
	return server
}

func (n *node) drain(ctx context.Context, servers []*http.Server) {
	if err := n.server.Drain(ctx); err != nil {
		n.logger.Warn("sockets did not close in time", zap.Error(err))
	}
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			n.logger.Warn("requests did not end in time", zap.Error(err))
			_ = server.Close()
		}
	}
	if err := n.processor.Close(ctx); err != nil {
		n.logger.Warn("commands did not end in time", zap.Error(err))
	}
}

// ready says whether the process can do its work.
func (n *node) ready(ctx context.Context) transport.Readiness {
	report, err := n.back.check(ctx)
	if err != nil {
		return transport.Readiness{Reasons: []string{"Redis is out of reach: " + n.back.words + "; the server goes on trying"}}
	}
	readiness := transport.Readiness{OK: report.Ready()}
	for _, finding := range report.Problems {
		text := finding.Text + ": " + finding.Remedy
		if finding.Severity == "fatal" {
			readiness.Reasons = append(readiness.Reasons, text)
		} else {
			readiness.Warnings = append(readiness.Warnings, text)
		}
	}
	if n.verifier != nil && n.verifier.Ready() != nil && (n.config.has("api") || n.config.has("realtime")) {
		readiness.OK = false
		readiness.Reasons = append(readiness.Reasons, "no token can be checked before keys came from GRAPHY_JWKS_URL; the server goes on trying")
	}
	for _, parked := range n.projector.Parked() {
		readiness.Warnings = append(readiness.Warnings,
			fmt.Sprintf("graph %s is parked before version %d: %s", parked.Graph, parked.Version, parked.Cause))
	}
	return readiness
}
