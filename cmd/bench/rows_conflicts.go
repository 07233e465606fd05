package main

import (
	"context"
	"fmt"
	"strings"
)

// conflictsRow: what a base costs where nothing conflicts, and what it costs where every command does. The former is
// little, so it is measured more often, and told as the median of what each pair of neighbouring rounds says.
func conflictsRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	if err := l.titleFirstNodes(ctx); err != nil {
		return nil, err
	}
	pairs, err := l.alternate(ctx, 2*l.opts.rounds+1,
		round{workers: agreeing(l.graphyAddr, false), processes: l.subjects()},
		round{workers: agreeing(l.graphyAddr, true), processes: l.subjects()})
	if err != nil {
		return nil, err
	}
	var moves, titles crossings
	medians, err := l.compare(ctx,
		round{workers: crossing(l.graphyAddr, false, &moves), processes: l.subjects()},
		round{workers: crossing(l.graphyAddr, true, &titles), processes: l.subjects()})
	if err != nil {
		return nil, err
	}
	without, with, ratio := medianOf(pairs[0]), medianOf(pairs[1]), medianOf(ratios(pairs[1], pairs[0]))
	moved, merged := medians[0], medians[1]
	return []line{
		{what: "command over HTTP without `clientVersion`: 64 connections, 16 graphs, one client on each", figure: latencies(without), cpu: without.cpu},
		{what: "the same with the version of the newest answer on the graph; nothing conflicts", figure: latencies(with),
			ratio: fmt.Sprintf("%.2f of without, by pairs", ratio.rate), cpu: with.cpu, target: "≥ 0.95", met: ratio.rate >= 0.95},
		{what: "CPU of such a command", figure: fmt.Sprintf("%.1f µs", with.cpu), cpu: with.cpu,
			ratio: fmt.Sprintf("%.2f of without, by pairs", ratio.cpu), target: "≤ 1.05", met: ratio.cpu <= 1.05},
		{what: fmt.Sprintf("%d clients on each graph move one node; %v conflict, `CLIENT_WINS`", perGraph, &moves), figure: latencies(moved),
			ratio: ratioTo(moved, with, "no conflict"), cpu: moved.cpu},
		{what: fmt.Sprintf("they change its title of %d words; %v conflict, `MERGE`", perGraph*wordsPerClient, &titles), figure: latencies(merged),
			ratio: ratioTo(merged, with, "no conflict"), cpu: merged.cpu},
	}, nil
}

// ratios returns the rates and the CPU of samples as shares of those of others.
func ratios(samples, others []sample) []sample {
	shares := make([]sample, len(samples))
	for i, s := range samples {
		shares[i] = sample{rate: s.rate / others[i].rate, cpu: s.cpu / others[i].cpu}
	}
	return shares
}

// titleFirstNodes gives the node that crossing works on, in every graph, the title that it begins with.
func (l *lab) titleFirstNodes(ctx context.Context) error {
	body := fmt.Sprintf(`{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n0","title":"%s"}}`, firstTitle())
	for i := range graphCount {
		if _, err := l.call(ctx, "POST", "http://"+l.graphyAddr+apiPrefix+graphName(i)+"/command", strings.NewReader(body)); err != nil {
			return err
		}
	}
	return nil
}
