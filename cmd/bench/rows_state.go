package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

const (
	stateNodes, stateEdges = 1000, 1500
	readers                = 32 // connections that read
)

// stateRow: the state of a graph that rests, against the same bytes served from memory, and the same with a tag.
func stateRow(ctx context.Context, l *lab) ([]line, error) {
	const graph = "bench-state"
	if err := l.createGraph(ctx, graph, stateNodes, stateEdges); err != nil {
		return nil, err
	}
	path := apiPrefix + graph + "/state"
	content, tag, err := l.stateOf(ctx, path)
	if err != nil {
		return nil, err
	}
	if _, err := l.call(ctx, http.MethodPut, "http://"+l.referenceAddr+"/static", bytes.NewReader(content)); err != nil {
		return nil, err
	}
	medians, err := l.compare(ctx,
		round{workers: closedGet(l.referenceAddr, "/static", "", 200, readers), processes: []*child{l.reference}},
		round{workers: closedGet(l.graphyAddr, path, "", 200, readers), processes: l.subjects()},
		round{workers: closedGet(l.graphyAddr, path, "If-None-Match: "+tag+"\r\n", 304, readers), processes: l.subjects()})
	if err != nil {
		return nil, err
	}
	static, ours, unchanged := medians[0], medians[1], medians[2]
	return []line{
		{what: fmt.Sprintf("reference: %s bytes from memory", thousands(int64(len(content)))), figure: perSecond(static.rate), cpu: static.cpu},
		{what: "`state` of 1,000 nodes and 1,500 edges, unchanged", figure: latencies(ours), ratio: ratioTo(ours, static, "static"),
			cpu: ours.cpu, target: "≥ 0.7", met: ours.rate >= 0.7*static.rate},
		{what: "the same with `If-None-Match`: 304", figure: latencies(unchanged), ratio: ratioTo(unchanged, ours, "`state`"),
			cpu: unchanged.cpu, target: "> 1", met: unchanged.rate > ours.rate},
	}, nil
}

// stateOf returns a state and its tag.
func (l *lab) stateOf(ctx context.Context, path string) (content []byte, tag string, err error) {
	content, err = l.get(ctx, "http://"+l.graphyAddr+path)
	if err != nil {
		return nil, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+l.graphyAddr+path, nil)
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("Accept-Encoding", "identity")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	return content, response.Header.Get("ETag"), nil
}
