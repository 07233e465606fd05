package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/eventstore"
	"graphy/transport"
)

func (c *cli) graphsCommand() *cobra.Command {
	return group("graphs", "List, show, delete and copy graphs",
		"Look at graphs as operators do: how far their logs and read models are, what is parked and why; delete them, copy them.",
		c.graphsListCommand(), c.graphsShowCommand(), c.graphsDeleteCommand(), c.graphsCopyCommand())
}

func (c *cli) graphsListCommand() *cobra.Command {
	flags := &operatorFlags{}
	state, limit := "", 0
	states := []string{transport.GraphOK, transport.GraphBehind, transport.GraphParked, transport.GraphBroken}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List graphs with their versions, lag and state",
		Long: `List all graphs: the version of the log, how many events (and seconds) the read models are behind it, the oldest event that
the log keeps, and the state: ok, behind, parked (its read models go no further until somebody has done something), broken
(its log cannot be read). Exit codes: see graphy help exit-codes.`,
		Example: "  graphy graphs list --state parked\n" +
			"  graphy graphs list --output json | jq -r 'select(.lag > 100).graphId'",
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if state != "" && !slices.Contains(states, state) {
				return fmt.Errorf("--state %q: it is %s", state, strings.Join(states, ", "))
			}
			return firstOf(flags.check(), checkLimit(limit))
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, _ []string) error {
			query := url.Values{}
			setUnlessEmpty(query, "state", state)
			t := newTable("GRAPH", "STATE", "VERSION", "LAG", "SECONDS", "FIRST", "NODES", "EDGES", "SIZE", "LAST MODIFIED", "CAUSE")
			err := eachItem(ctx, a, list{path: "/graphs", query: query, member: "graphs", next: "cursor", limit: limit}, func(g transport.GraphInfo) {
				t.add(g.GraphID, g.State, g.Version, g.Lag, fmt.Sprintf("%.1f", g.LagSeconds), g.First, g.Nodes, g.Edges, sizeOf(g.Bytes), at(g.LastModified), g.Cause)
			})
			if err != nil || a.out.json {
				return err
			}
			return a.out.print(t, "there are no such graphs")
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&state, "state", "", "only graphs in this state: "+strings.Join(states, ", "))
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many; 0: all")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func checkLimit(limit int) error {
	if limit < 0 {
		return fmt.Errorf("--limit %d: it is a number, or 0 for all", limit)
	}
	return nil
}

func sizeOf(bytes *int64) string {
	if bytes == nil {
		return ""
	}
	return size(*bytes)
}

func (c *cli) graphsShowCommand() *cobra.Command {
	flags := &operatorFlags{}
	cmd := &cobra.Command{
		Use:               "show GRAPH",
		ValidArgsFunction: c.graphNames(flags, 1),
		Short:             "Show all that is known of how a graph stands",
		Long: `Show a graph: its state, counts by command type, the snapshots there are, what the log begins with if it was trimmed, what
the archive holds, and the clients. Exit codes: see graphy help exit-codes.`,
		Example: "  graphy graphs show demo\n" +
			"  graphy graphs show demo --output json | jq .stats.byType",
		Args:    wants("GRAPH"),
		PreRunE: func(_ *cobra.Command, args []string) error { return firstOf(flags.check(), checkGraphs(args)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			var raw jsontext.Value
			if err := a.do(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(args[0])}, &raw); err != nil {
				return err
			}
			if a.out.json {
				return a.out.object(raw)
			}
			var detail transport.GraphDetail
			if err := json.Unmarshal(raw, &detail); err != nil {
				return a.misunderstood(err)
			}
			return a.out.graph(&detail)
		}),
	}
	flags.register(cmd)
	return cmd
}

// graph shows a graph to people.
func (p *printer) graph(g *transport.GraphDetail) error {
	pairs := []any{"graph", g.GraphID, "state", g.State, "cause", g.Cause, "version", g.Version,
		"checkpoint", fmt.Sprintf("%d, %s and %.1f s behind", g.Checkpoint, plural(g.Lag, "event", "events"), g.LagSeconds),
		"oldest event", g.First, "nodes", g.Nodes, "edges", g.Edges, "size", sizeOf(g.Bytes), "last modified", at(g.LastModified)}
	if g.Base != nil && g.Base.Version > 0 {
		pairs = append(pairs, "trimmed", fmt.Sprintf("the log begins with the state at version %d", g.Base.Version))
	}
	if g.Stats != nil {
		pairs = append(pairs, "events", g.Stats.Events, "by type", byCount(g.Stats.ByType), "completed", plural(g.Stats.Completed, "node", "nodes"))
	}
	pairs = append(pairs, "snapshots", versions(g.Snapshots), "clients", len(g.Clients))
	if err := p.fields(pairs...); err != nil {
		return err
	}
	if len(g.Archive) > 0 {
		p.linef("\nARCHIVE")
		if err := p.print(segmentTable(g.Archive), ""); err != nil {
			return err
		}
	}
	if len(g.Clients) > 0 {
		p.linef("\nCLIENTS")
		return p.print(sessionTable(g.Clients), "")
	}
	return nil
}

// byCount lists counts, the largest first.
func byCount(counts map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b] - counts[a])
		}
		return strings.Compare(a, b)
	})
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(words, ", ")
}

func versions(positions []eventstore.Position) string {
	if len(positions) == 0 {
		return "none"
	}
	words := make([]string, len(positions))
	for i, position := range positions {
		words[i] = fmt.Sprint(position.Version)
	}
	return "at " + strings.Join(words, ", ")
}
