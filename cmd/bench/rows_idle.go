package main

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	idleClients = 10_000
	idleGraphs  = 100
	idleNodes   = 10
	idleSpan    = 32 * time.Second // more than two pings
	idleBuffer  = 4 << 10          // of the generator, for each
	idleMemory  = 35_000           // bytes of the server for each
	idleCPU     = 0.05             // of a core
	spareFiles  = 500
)

// idleRow: what connections cost on which nothing happens but pings: memory of a process over what it has before they come,
// and CPU. Then one command on each graph comes to all of them.
func idleRow(ctx context.Context, l *lab) ([]line, error) {
	if err := checkFiles(idleClients + spareFiles); err != nil {
		return nil, err
	}
	for i := range idleGraphs {
		if err := l.createGraph(ctx, idleGraph(i), idleNodes, 0); err != nil {
			return nil, err
		}
	}
	process, addr, _, err := l.serve(ctx, "graphy-idle")
	if err != nil {
		return nil, err
	}
	defer l.retire(process)
	l.settle(ctx, []*child{process, l.redis})
	empty, err := memory(process)
	if err != nil {
		return nil, err
	}
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	clients, err := idlers(ctx, addr)
	if err != nil {
		return nil, err
	}
	l.settle(ctx, []*child{process, l.redis})
	span := idleSpan
	if l.opts.short {
		span /= 4
	}
	server, redis := cpuTime(process), cpuTime(l.redis)
	pause(ctx, span)
	server, redis = cpuTime(process)-server, cpuTime(l.redis)-redis
	full, err := memory(process)
	if err != nil {
		return nil, err
	}
	if err := l.wake(ctx, clients); err != nil {
		return nil, err
	}
	each := float64(full-empty) / idleClients
	share := func(used time.Duration) float64 { return used.Seconds() / span.Seconds() }
	return []line{
		{what: fmt.Sprintf("memory of an idle connection: %s on %d graphs", thousands(idleClients), idleGraphs),
			figure: fmt.Sprintf("%.1f kB (%s in all)", each/1000, megabytes(full)), target: "≤ 35 kB", met: each <= idleMemory},
		{what: fmt.Sprintf("CPU of all of them, over %.0f s", span.Seconds()),
			figure: fmt.Sprintf("%.1f %% of a core, and Redis %.1f %%", 100*share(server), 100*share(redis)), target: "≤ 5 %", met: share(server) <= idleCPU},
	}, nil
}

func idleGraph(i int) string { return fmt.Sprintf("bench-idle-%02d", i%idleGraphs) }

// idlers connects all, each of whom then listens.
func idlers(ctx context.Context, addr string) ([]*client, error) {
	clients := make([]*client, idleClients)
	arriving := errgroup.Group{}
	arriving.SetLimit(arrivalsAtOnce)
	for i := range clients {
		arriving.Go(func() error {
			m := newMover(idleNodes)
			conn, err := dialWSWith(ctx, addr, subscribePath(idleGraph(i), false)+m.client, wsOptions{buffer: idleBuffer})
			if err != nil {
				return fmt.Errorf("client %d: %w", i, err)
			}
			clients[i] = &client{conn: conn, mover: m}
			if err := clients[i].greet(); err != nil {
				return fmt.Errorf("client %d: %w", i, err)
			}
			go func() { _ = clients[i].listen() }() // who has ended does not hear when all are called
			return nil
		})
	}
	return clients, arriving.Wait()
}

// wake has something happen on every graph, of which every client has to hear.
func (l *lab) wake(ctx context.Context, clients []*client) error {
	m := newMover(idleNodes)
	for i := range idleGraphs {
		url := "http://" + l.graphyAddr + apiPrefix + idleGraph(i) + "/command"
		if _, err := l.call(ctx, "POST", url, bytes.NewReader(m.body(nil, time.Now()))); err != nil {
			return err
		}
	}
	return awaitAll(ctx, clients, 1)
}

// checkFiles fails if this process, and so those it starts, may not open so many files.
func checkFiles(most uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur < most {
		return fmt.Errorf("the limit of open files is %d, this needs %d: ulimit -n %d", limit.Cur, most, most)
	}
	return nil
}
