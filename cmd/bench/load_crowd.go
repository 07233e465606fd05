package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	arrivalsAtOnce = 64
	beforeFirst    = 100 * time.Millisecond // from the last arrival to the first command
	lateLimit      = 3 * time.Second        // for what is on its way when the last command is sent
)

// crowd is clients on one graph, some of whom write, in open loop.
type crowd struct {
	addr, path string // of the WebSocket; a client's id is appended
	listeners  int    // who write nothing; if there are any, what they hear counts, else what the writers hear
	writers    int
	rate       float64       // commands/s of all writers together
	presence   time.Duration // from one presence of a writer to its next; 0: none
	nodes      int           // that writers move
	span       time.Duration // that counts, after a warm-up of a quarter of it
}

// hearing is what a crowd came to.
type hearing struct {
	sent      int64   // commands
	hearers   int     // whose hearing counts
	updates   float64 // that came to all of them, per second
	presences float64 // likewise
	cpu, own  float64 // µs of the processes, and of the generator, for each update that a hearer got
	p50, p99  time.Duration
	worst     time.Duration
	fault     error // why this was too much; nil: every client had every version, once and in order
}

// holds tells whether nothing was lost and the slowest hundredth came in time.
func (h *hearing) holds(limit time.Duration) bool { return h.fault == nil && h.p99 < limit }

func (h *hearing) String() string {
	return fmt.Sprintf("%s delivered, p50 %s, p99 %s", perSecond(h.updates), millis(h.p50), millis(h.p99))
}

// run lets the crowd come, write, hear and leave. Versions out of order are an error, all else that goes wrong is a fault
// of the hearing: it may come from too much load.
func (c *crowd) run(ctx context.Context) (*hearing, error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	clients, err := c.arrive(ctx)
	if err != nil {
		return &hearing{fault: err}, ctx.Err()
	}
	first := time.Now().Add(beforeFirst)
	counts := period{from: first.Add(c.span / 4), to: first.Add(c.span + c.span/4)}
	hearers := clients
	if c.listeners > 0 {
		hearers = clients[:c.listeners]
	}
	for _, client := range clients {
		client.counts = counts
	}
	for _, hearer := range hearers {
		hearer.reserve(int(c.rate * c.span.Seconds() * 1.1))
	}
	listening, listeningCtx := errgroup.WithContext(ctx)
	for _, client := range clients {
		listening.Go(client.listen)
	}
	h := &hearing{hearers: len(hearers)}
	h.sent, h.fault = c.write(listeningCtx, clients[c.listeners:], first)
	if h.fault == nil {
		h.fault = awaitAll(listeningCtx, clients, h.sent)
	}
	broken := listeningCtx.Err() != nil
	leave()
	if err := listening.Wait(); broken || errors.Is(err, errDisorder) || errors.Is(err, errSkipped) {
		h.fault = err
	}
	h.gather(hearers, c.span)
	if errors.Is(h.fault, errDisorder) {
		return h, h.fault
	}
	return h, nil
}

// arrive connects all, each with its first sync: those who listen first, then those who write. The connections end with ctx.
func (c *crowd) arrive(ctx context.Context) ([]*client, error) {
	clients := make([]*client, c.listeners+c.writers)
	arriving := errgroup.Group{} // without a context of its own, with whose end the connections would close
	arriving.SetLimit(arrivalsAtOnce)
	for i := range clients {
		arriving.Go(func() error {
			m := newMover(c.nodes)
			conn, err := dialWS(ctx, c.addr, c.path+m.client)
			if err != nil {
				return err
			}
			clients[i] = &client{conn: conn, mover: m}
			return clients[i].greet()
		})
	}
	return clients, arriving.Wait()
}

// write has the writers send until the end, each at moments of its own, and returns how many commands they sent.
func (c *crowd) write(ctx context.Context, writers []*client, first time.Time) (int64, error) {
	sent := atomic.Int64{}
	writing, working := errgroup.WithContext(ctx)
	every := time.Duration(float64(len(writers)) / c.rate * float64(time.Second))
	for i, writer := range writers {
		writing.Go(func() error {
			count, err := writer.command(working, first.Add(every*time.Duration(i)/time.Duration(len(writers))), every)
			sent.Add(count)
			return err
		})
		if c.presence > 0 {
			writing.Go(func() error { return writer.present(working, first.Add(rand.N(c.presence)), c.presence) })
		}
	}
	err := writing.Wait()
	if err == nil {
		err = ctx.Err() // somebody could not listen any more
	}
	return sent.Load(), err
}

// awaitAll waits until every client has so many versions more than when it came.
func awaitAll(ctx context.Context, clients []*client, more int64) error {
	deadline := time.Now().Add(lateLimit)
	for i, client := range clients {
		for client.at.Load() < client.base+more {
			if time.Now().After(deadline) {
				return fmt.Errorf("client %d still lacked %d updates after %v", i, client.base+more-client.at.Load(), lateLimit)
			}
			if !pause(ctx, time.Millisecond) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// gather sums up what the hearers have heard in the time that counts.
func (h *hearing) gather(hearers []*client, span time.Duration) {
	var updates, presences int64
	var latencies []time.Duration
	for _, hearer := range hearers {
		updates += hearer.updates
		presences += hearer.presences
		latencies = append(latencies, hearer.latencies...)
	}
	h.updates, h.presences = float64(updates)/span.Seconds(), float64(presences)/span.Seconds()
	h.p50, h.p99, h.worst = quantile(latencies, 0.5), quantile(latencies, 0.99), quantile(latencies, 1)
}
