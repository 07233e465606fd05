package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// banner tells a person what runs, how safe it is, and what to try.
func (n *node) banner(ctx context.Context, out io.Writer, clients net.Addr, operators net.Listener) {
	base := "http://" + reachable(clients)
	fmt.Fprintf(out, "Graphy serves %s\n", base)
	fmt.Fprintf(out, "  roles       %s\n", strings.Join(n.config.Roles, ", "))
	fmt.Fprintf(out, "  log         %s\n", n.back.words)
	n.bannerDurability(ctx, out)
	fmt.Fprintf(out, "  who         %s\n", n.config.Tokens.words())
	if operators != nil {
		fmt.Fprintf(out, "  operators   http://%s/metrics and /readyz\n", reachable(operators.Addr()))
	}
	if !n.config.has("api") {
		return
	}
	curl := "curl -s"
	if n.verifier != nil {
		curl += ` -H "Authorization: Bearer $GRAPHY_TOKEN"`
	}
	fmt.Fprintf(out, `Try, in another terminal:
  %[2]s %[1]s/api/v2/graphs/demo/command -H 'Content-Type: application/json' \
    -d '{"type":"CREATE_NODE","payload":{"id":"n1","title":"Hello","position":{"x":0,"y":0}}}'
  %[2]s %[1]s/api/v2/graphs/demo/state
  %[2]s -X POST %[1]s/api/v2/graphs/demo/undo
  %[2]s '%[1]s/api/v2/graphs/demo/changes?since=0'
  go run ./cmd/graphy import testdata/graphs/miserables.json --graph miserables --server %[1]s
`, base, curl)
	if n.config.has("realtime") {
		fmt.Fprintf(out, "  go run ./cmd/graphy watch --graph demo --server %s\n", base)
	}
}

// reachable returns where to reach a listener from this machine: one on all addresses on the loopback one.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// bannerDurability says what a crash may take, and what is wrong with the Redis that was given.
func (n *node) bannerDurability(ctx context.Context, out io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	report, err := n.back.check(ctx)
	if err != nil {
		fmt.Fprintf(out, "  NOT READY   Redis does not answer; commands get 503 until it does: %v\n", err)
		return
	}
	if report.Version != "" {
		fmt.Fprintf(out, "  redis       version %s, maxmemory-policy %s\n", report.Version, report.Policy)
		fmt.Fprintf(out, "  persistence %s\n", report.Persistence)
	}
	fmt.Fprintf(out, "  durability  %s\n", report.Durability)
	for _, finding := range report.Problems {
		label := "warning"
		if finding.Severity == "fatal" {
			label = "NOT READY"
		}
		fmt.Fprintf(out, "  %-11s %s\n              remedy: %s\n", label, finding.Text, finding.Remedy)
	}
}
