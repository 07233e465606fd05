package main

import (
	"context"
	"fmt"
)

const (
	connections = 64
	window      = 32 // commands outstanding on a connection that pipelines
)

// httpCommands are workers that post commands one after another, on so many connections over so many graphs.
func httpCommands(addr, prefix string, connections, graphs int) []worker {
	workers := make([]worker, connections)
	for i := range workers {
		workers[i] = closedHTTP(addr, 202, poster(prefix+graphName(i%graphs)+"/command", newMover(nodesPerGraph)))
	}
	return workers
}

// wsCommands are workers that send commands over WebSockets. Each is a subscriber of its graph too, and reads all
// that the others on it do. With joined frames the server may put several messages into one, which clients may ask for.
func wsCommands(addr string, connections, graphs, window int) []worker {
	workers := make([]worker, connections)
	for i := range workers {
		m := newMover(nodesPerGraph)
		path := fmt.Sprintf("%s%s/subscribe?batch=true&clientId=%s", apiPrefix, graphName(i%graphs), m.client)
		workers[i] = closedWS(addr, path, window, m.frame, answersCommand)
	}
	return workers
}

// wsEchoes are the same messages to the reference, which sends them back.
func wsEchoes(addr string, connections, window int) []worker {
	workers := make([]worker, connections)
	for i := range workers {
		workers[i] = closedWS(addr, "/ws", window, newMover(nodesPerGraph).frame, answersEcho)
	}
	return workers
}

// httpRow: commands accepted over HTTP, against the bare handler, and for context the handler with one XADD.
func httpRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	medians, err := l.compare(ctx,
		round{workers: httpCommands(l.referenceAddr, "/echo/", connections, graphCount), processes: []*child{l.reference}},
		round{workers: httpCommands(l.referenceAddr, "/xadd/", connections, graphCount), processes: []*child{l.reference, l.redis}},
		round{workers: httpCommands(l.graphyAddr, apiPrefix, connections, graphCount), processes: l.subjects(), allocs: true})
	if err != nil {
		return nil, err
	}
	bare, xadd, ours := medians[0], medians[1], medians[2]
	return []line{
		{what: "reference: bare echo handler, the same JSON, 64 connections", figure: perSecond(bare.rate), cpu: bare.cpu},
		{what: "reference: the same with one XADD", figure: perSecond(xadd.rate), ratio: ratioTo(xadd, bare, "bare echo"), cpu: xadd.cpu},
		{what: "command accepted over HTTP: 64 connections, closed loop, 16 graphs of 200 nodes",
			figure: latencies(ours), ratio: ratioTo(ours, bare, "bare echo"), cpu: ours.cpu,
			target: "≥ 0.65", met: ours.rate >= 0.65*bare.rate},
		{what: "CPU of such a command, Redis and projection included", figure: fmt.Sprintf("%.1f µs", ours.cpu), cpu: ours.cpu,
			ratio: fmt.Sprintf("%.2f of bare echo %.1f µs", ours.cpu/bare.cpu, bare.cpu), target: "≤ 50 µs", met: ours.cpu <= 50},
		{what: "allocations of such a command, projection included", figure: fmt.Sprintf("%.0f", ours.allocs)},
	}, nil
}

// latencies prints a rate and how long one took.
func latencies(s sample) string {
	return fmt.Sprintf("%s, p50 %s, p99 %s", perSecond(s.rate), millis(s.p50), millis(s.p99))
}

// webSocketRow: commands over WebSockets one at a time, against an echo of the same messages.
func webSocketRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	medians, err := l.compare(ctx,
		round{workers: wsEchoes(l.referenceAddr, connections, 1), processes: []*child{l.reference}},
		round{workers: wsCommands(l.graphyAddr, connections, graphCount, 1), processes: l.subjects(), allocs: true})
	if err != nil {
		return nil, err
	}
	bare, ours := medians[0], medians[1]
	return []line{
		{what: "reference: bare WebSocket echo, 64 connections", figure: perSecond(bare.rate), cpu: bare.cpu},
		{what: fmt.Sprintf("command over WebSocket: 64 connections, closed loop, 16 graphs; %d subscribers each, who get %s updates/s in all",
			connections/graphCount, thousands(int64(ours.rate)*connections/graphCount)),
			figure: latencies(ours), ratio: ratioTo(ours, bare, "bare WebSocket"), cpu: ours.cpu,
			target: "≥ 0.35", met: ours.rate >= 0.35*bare.rate},
		{what: "allocations of such a command, fan-out and projection included", figure: fmt.Sprintf("%.0f", ours.allocs)},
	}, nil
}

// pipelinedRow: one connection for each graph, 32 commands outstanding on each.
func pipelinedRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	medians, err := l.compare(ctx,
		round{workers: wsEchoes(l.referenceAddr, graphCount, window), processes: []*child{l.reference}},
		round{workers: wsCommands(l.graphyAddr, graphCount, graphCount, window), processes: l.subjects(), allocs: true})
	if err != nil {
		return nil, err
	}
	bare, ours := medians[0], medians[1]
	return []line{
		{what: "command over WebSocket, 32 pipelined on each of 16 connections, one for each of 16 graphs",
			figure: latencies(ours), ratio: ratioTo(ours, bare, "bare WebSocket pipelined"), cpu: ours.cpu,
			target: "≥ 60,000/s", met: ours.rate >= 60_000},
		{what: "allocations of such a command", figure: fmt.Sprintf("%.0f", ours.allocs)},
	}, nil
}

// hotHTTPRow: the same connections on one graph and on sixteen.
func hotHTTPRow(ctx context.Context, l *lab) ([]line, error) {
	return hotRow(ctx, l, "one hot graph over HTTP, 64 connections",
		httpCommands(l.graphyAddr, apiPrefix, connections, graphCount),
		httpCommands(l.graphyAddr, apiPrefix, connections, 1))
}

// hotWebSocketRow: 512 commands outstanding either way. Every connection on the hot graph gets all updates, so there
// are only four, with more outstanding on each.
func hotWebSocketRow(ctx context.Context, l *lab) ([]line, error) {
	const hot = 4
	return hotRow(ctx, l, fmt.Sprintf("one hot graph over WebSocket, %d connections with %d pipelined, %d updates for each command",
		hot, graphCount*window/hot, hot),
		wsCommands(l.graphyAddr, graphCount, graphCount, window),
		wsCommands(l.graphyAddr, hot, 1, graphCount*window/hot))
}

func hotRow(ctx context.Context, l *lab, what string, onMany, onOne []worker) ([]line, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	medians, err := l.compare(ctx,
		round{workers: onMany, processes: l.subjects()},
		round{workers: onOne, processes: l.subjects()})
	if err != nil {
		return nil, err
	}
	many, hot := medians[0], medians[1]
	return []line{{what: what, figure: latencies(hot), ratio: ratioTo(hot, many, "16 graphs"), cpu: hot.cpu,
		target: "≥ 0.5", met: hot.rate >= many.rate/2}}, nil
}
