package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func (c *cli) conflictsCommand() *cobra.Command {
	return group("conflicts", "List conflicts that people have to settle, or have settled",
		"Conflicts that the strategy MANUAL left open are settled through the API of clients (POST …/conflicts/ID/resolve).", c.conflictsListCommand())
}

// conflictRecord is what the list shows of a conflict (API.md, conflict).
type conflictRecord struct {
	GraphID    string `json:"graphId"`
	ConflictID string `json:"conflictId"`
	Status     string `json:"status"`
	Kind       string `json:"kind"`
	ID         string `json:"id"`
	Version    uint64 `json:"version"`
	Timestamp  int64  `json:"timestamp"`
	UserID     string `json:"userId"`
	Paths      []struct {
		Path string `json:"path"`
		By   struct {
			UserID string `json:"userId"`
		} `json:"by"`
	} `json:"paths"`
}

func (c *cli) conflictsListCommand() *cobra.Command {
	flags := &operatorFlags{}
	graph, status := "", ""
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List conflicts of one or all graphs",
		Long:  "List conflicts: which paths of which entity, between whom, since when. Exit codes: see graphy help exit-codes.",
		Example: "  graphy conflicts list --status open\n" +
			"  graphy conflicts list --graph demo --output json",
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if status != "" && status != "open" && status != "resolved" {
				return fmt.Errorf("--status %q: it is open or resolved", status)
			}
			return flags.check()
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, _ []string) error {
			query := url.Values{}
			setUnlessEmpty(query, "graph", graph)
			setUnlessEmpty(query, "status", status)
			t := newTable("GRAPH", "CONFLICT", "STATUS", "ENTITY", "PATHS", "BETWEEN", "VERSION", "TIME")
			err := eachItem(ctx, a, list{path: "/conflicts", query: query, member: "conflicts", next: "cursor"}, func(r conflictRecord) {
				t.add(r.GraphID, r.ConflictID, r.Status, r.Kind+" "+r.ID, r.paths(), r.between(), r.Version, at(r.Timestamp))
			})
			if err != nil || a.out.json {
				return err
			}
			return a.out.print(t, "there are no such conflicts")
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&graph, "graph", "", "of this graph; empty: of all")
	cmd.Flags().StringVar(&status, "status", "", "open or resolved; empty: both")
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions([]string{"open", "resolved"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (r *conflictRecord) paths() string {
	paths := make([]string, len(r.Paths))
	for i, path := range r.Paths {
		if paths[i] = path.Path; path.Path == "" {
			paths[i] = "(all)"
		}
	}
	return strings.Join(paths, " ")
}

func (r *conflictRecord) between() string {
	names := r.UserID
	seen := map[string]bool{r.UserID: true}
	for _, path := range r.Paths {
		if !seen[path.By.UserID] {
			seen[path.By.UserID] = true
			names += ", " + path.By.UserID
		}
	}
	return names
}
