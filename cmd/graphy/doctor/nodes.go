package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// node is one Redis server: there are several in a cluster, and behind sentinels.
type node struct {
	address string
	client  rueidis.Client
	info    map[string]string
	config  map[string]string // nil: it does not tell
	err     error             // it cannot be asked at all
}

func (n *node) isMaster() bool { return n.info["role"] != "slave" }

// number returns a field of INFO that is one, 0 if it is not.
func (n *node) number(field string) int64 {
	value, _ := strconv.ParseInt(n.info[field], 10, 64)
	return value
}

// named puts the node's address before a text, where there are several.
func (l *look) named(n *node, text string) string {
	if len(l.nodes) < 2 {
		return text
	}
	return n.address + ": " + text
}

// masters yields the nodes that hold the data.
func (l *look) masters(visit func(*node)) {
	for i := range l.nodes {
		if l.nodes[i].err == nil && l.nodes[i].isMaster() {
			visit(&l.nodes[i])
		}
	}
}

// reachNodes asks every node what it says of itself, for the other checks.
func reachNodes(ctx context.Context, l *look) (findings []finding) {
	clients := l.opts.Client.Nodes()
	l.nodes = make([]node, 0, len(clients))
	for _, address := range slices.Sorted(maps.Keys(clients)) {
		l.nodes = append(l.nodes, node{address: address, client: clients[address]})
	}
	if len(l.nodes) == 0 {
		return []finding{bad("No Redis is known.", "See GRAPHY_REDIS_URL.")}
	}
	var asking sync.WaitGroup
	for i := range l.nodes {
		asking.Go(func() { l.nodes[i].ask(ctx) })
	}
	asking.Wait()
	for i := range l.nodes {
		n := &l.nodes[i]
		if n.err != nil {
			findings = append(findings, n.unreachable())
		}
	}
	if len(findings) > 0 {
		return findings
	}
	if l.opts.Embedded != nil {
		return []finding{good("Redis is inside the process.")}
	}
	if len(l.nodes) > 1 {
		return []finding{good("%d Redis servers answer.", len(l.nodes))}
	}
	return []finding{good("Redis answers at %s.", l.nodes[0].address)}
}

func (n *node) unreachable() finding {
	if rule, refused := missingRight(n.err); refused {
		return bad(fmt.Sprintf("Redis at %s does not let its user ask: %v.", n.address, n.err), rule)
	}
	return bad(fmt.Sprintf("Redis at %s is out of reach: %v.", n.address, n.err),
		"See whether it runs, whether the address and password of GRAPHY_REDIS_URL are right, and whether a firewall is between.")
}

func (n *node) ask(ctx context.Context) {
	if n.err = n.client.Do(ctx, n.client.B().Ping().Build()).Error(); n.err != nil {
		return
	}
	text, err := n.client.Do(ctx, n.client.B().Info().Build()).ToString()
	if n.err = err; err != nil {
		return
	}
	n.info = fields(text)
	n.config, err = n.client.Do(ctx, n.client.B().ConfigGet().Parameter("maxmemory", "min-replicas-to-write",
		"min-replicas-max-lag").Build()).AsStrMap()
	if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
		n.err = err
	}
}

// fields reads the lines of INFO.
func fields(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
