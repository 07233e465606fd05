package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	paceRate = 5000                  // commands per second of the open loop
	probeGap = 40 * time.Millisecond // between two probes of one prober
)

// readModelRow: how long after its 202 a command is in the read models, while an open loop sends 5,000 commands a
// second over WebSockets. Probers post a command of their own now and then, and when it is accepted ask at once for
// `state` with its version as minVersion; that answer, the whole state, ends the time. A second kind posts with
// wait=completed: there the time begins before the command is sent.
// Should the server not keep up, its refusals fail the row.
func readModelRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	pacers := make([]worker, graphCount)
	for i := range pacers {
		pacers[i] = pacer(l.graphyAddr, graphName(i), paceRate/graphCount)
	}
	probers := func(probe func(*prober, time.Time) (time.Duration, error)) []worker {
		workers := slices.Clone(pacers)
		for i := range 4 {
			workers = append(workers, probing(l.graphyAddr, graphName(i*4), probe))
		}
		return workers
	}
	medians, err := l.compare(ctx,
		round{workers: probers((*prober).readBack), processes: l.subjects()},
		round{workers: probers((*prober).waitCompleted), processes: l.subjects()})
	if err != nil {
		return nil, err
	}
	read, wait := medians[0], medians[1]
	what := fmt.Sprintf("at %s commands/s, ", thousands(paceRate))
	return []line{
		{what: what + "from a 202 to the answer of `state?minVersion` with it", figure: "p50 " + millis(read.p50) + ", p99 " + millis(read.p99),
			target: "p99 < 20 ms", met: read.p99 < 20*time.Millisecond},
		{what: what + "from sending to the answer with `wait=completed`", figure: "p50 " + millis(wait.p50) + ", p99 " + millis(wait.p99),
			target: "p99 < 20 ms", met: wait.p99 < 20*time.Millisecond},
	}, nil
}

// pacer sends so many commands a second, whether they are answered or not, and reads all that comes.
func pacer(addr, graph string, rate int) worker {
	return func(ctx context.Context, _ *recorder) error {
		m := newMover(nodesPerGraph)
		c, err := dialWS(ctx, addr, fmt.Sprintf("%s%s/subscribe?batch=true&clientId=%s", apiPrefix, graph, m.client))
		if err != nil {
			return err
		}
		defer c.conn.Close()
		failed := make(chan error, 1)
		go func() { failed <- drain(c) }()
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		var message, out []byte
		for begun, sent := time.Now(), 0; ; {
			select {
			case err := <-failed:
				return err
			case now := <-ticker.C:
				out = out[:0]
				for due := int(now.Sub(begun).Seconds() * float64(rate)); sent < due; sent++ {
					message = m.frame(message[:0], now)
					out = appendFrame(out, opText, message)
				}
				if _, err := c.conn.Write(out); err != nil {
					return err
				}
			}
		}
	}
}

// drain reads until the connection ends, or a command is refused.
func drain(c *wsConn) error {
	for {
		frame, err := c.next()
		if err != nil {
			return err
		}
		for text := range bytes.SplitSeq(frame, newline) {
			if _, err := answersCommand(text); err != nil {
				return err
			}
		}
	}
}

// prober is one HTTP client that looks how far the read models are.
type prober struct {
	conn  *httpConn
	graph string
	mover *mover
	buf   []byte
}

func probing(addr, graph string, probe func(*prober, time.Time) (time.Duration, error)) worker {
	return func(ctx context.Context, r *recorder) error {
		conn, err := dialHTTP(ctx, addr)
		if err != nil {
			return err
		}
		defer conn.conn.Close()
		p := &prober{conn: conn, graph: graph, mover: newMover(nodesPerGraph)}
		for pause(ctx, probeGap) {
			took, err := probe(p, time.Now())
			if err != nil {
				return err
			}
			r.done(took)
		}
		return nil
	}
}

// post sends a command and returns the body of the answer.
func (p *prober) post(now time.Time, query string, want int) ([]byte, error) {
	p.buf = appendPost(p.buf[:0], apiPrefix+p.graph+"/command"+query, p.mover.body(nil, now))
	return p.ask(p.buf, want)
}

func (p *prober) ask(request []byte, want int) ([]byte, error) {
	status, body, err := p.conn.exchange(request)
	if err == nil && status != want {
		err = fmt.Errorf("status %d, want %d: %.300s", status, want, body)
	}
	return body, err
}

func (p *prober) waitCompleted(now time.Time) (time.Duration, error) {
	_, err := p.post(now, "?wait=completed", 200)
	return time.Since(now), err
}

func (p *prober) readBack(now time.Time) (time.Duration, error) {
	body, err := p.post(now, "", 202)
	if err != nil {
		return 0, err
	}
	version, err := versionOf(body)
	if err != nil {
		return 0, err
	}
	accepted := time.Now()
	_, err = p.ask(fmt.Appendf(nil, "GET %s%s/state?minVersion=%d HTTP/1.1\r\nHost: bench\r\n\r\n", apiPrefix, p.graph, version), 200)
	return time.Since(accepted), err
}
