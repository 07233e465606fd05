package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/eventstore"
	"graphy/projection/upkeep"
	"graphy/transport"
)

func (c *cli) graphsDeleteCommand() *cobra.Command {
	flags, allowed := &operatorFlags{}, &consent{}
	dryRun, archived := false, false
	cmd := &cobra.Command{
		Use:               "delete GRAPH",
		ValidArgsFunction: c.graphNames(flags, 1),
		Short:             "Delete a graph: its log, its read models, everything",
		Long: `Delete a graph with its log and all that was made of it; subscribers are told to start anew at version 0. What the archive
holds stays, and graphy restore brings it back, unless --archive is given.

It asks first; --yes answers. --dry-run shows what would go. Exit codes: see graphy help exit-codes.`,
		Example: "  graphy graphs delete demo --dry-run\n" +
			"  graphy graphs delete demo --archive --yes --server http://127.0.0.1:3001",
		Args: wants("GRAPH"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			err := firstOf(flags.check(), checkGraphs(args))
			if err == nil && !dryRun {
				err = allowed.check(c, cmd)
			}
			return err
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			var raw jsontext.Value
			var found transport.GraphDetail
			if err := a.do(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(args[0])}, &raw); err != nil {
				return err
			}
			if err := json.Unmarshal(raw, &found); err != nil {
				return a.misunderstood(err)
			}
			what := fmt.Sprintf("%s at version %d (%s, %s)", args[0], found.Version, plural(found.Nodes, "node", "nodes"), plural(found.Edges, "edge", "edges"))
			if archived {
				what += fmt.Sprintf(" and %s of the archive", plural(len(found.Archive), "segment", "segments"))
			}
			report := deletion{GraphID: args[0], Outcome: "deleted", DryRun: dryRun, Version: uint64(found.Version)}
			if !dryRun {
				if err := allowed.ask(a, "delete %s, in %s", what, a.where); err != nil {
					return err
				}
				query := url.Values{}
				if archived {
					query.Set("archive", "true")
				}
				if err := a.do(ctx, call{method: http.MethodDelete, path: "/graphs/" + escaped(args[0]), query: query}, nil); err != nil {
					return err
				}
			}
			if a.out.json {
				return a.out.value(report)
			}
			a.out.linef("%s: %s", dryWord(report.Outcome, dryRun), what)
			return nil
		}),
	}
	flags.register(cmd)
	allowed.register(cmd)
	cmd.Flags().BoolVar(&archived, "archive", false, "also what the archive holds of it")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be deleted, and change nothing")
	return cmd
}

// deletion is the report of a graph that was deleted.
type deletion struct {
	GraphID string `json:"graphId"`
	Outcome string `json:"outcome"`
	DryRun  bool   `json:"dryRun,omitzero"`
	Version uint64 `json:"version"`
}

func (c *cli) graphsCopyCommand() *cobra.Command {
	flags := &operatorFlags{}
	request := struct {
		To string `json:"to"`
		At uint64 `json:"at,omitzero"`
	}{}
	dryRun := false
	cmd := &cobra.Command{
		Use:               "copy GRAPH NEW",
		ValidArgsFunction: c.graphNames(flags, 1),
		Short:             "Make a new graph of another's log, up to any version",
		Long: `Copy the log of a graph, byte for byte, up to a version (or all of it) into a new graph. The two have one history up to
there; graphy log diff GRAPH --with NEW tells. It is refused (exit code 4) if NEW is there already.

Exit codes: see graphy help exit-codes.`,
		Example: "  graphy graphs copy demo demo-before --at 41\n" +
			"  graphy graphs copy demo demo-2 --dry-run",
		Args:    wants("GRAPH", "NEW"),
		PreRunE: func(_ *cobra.Command, args []string) error { return firstOf(flags.check(), checkGraphs(args)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			if dryRun {
				return copyDryRun(ctx, a, args[0], args[1], request.At)
			}
			var raw jsontext.Value
			request.To = args[1]
			if err := a.do(ctx, call{method: http.MethodPost, path: "/graphs/" + escaped(args[0]) + "/copy", body: request}, &raw); err != nil {
				return err
			}
			return a.out.copied(raw, false)
		}),
	}
	flags.register(cmd)
	cmd.Flags().Uint64Var(&request.At, "at", 0, "the version up to which to copy; 0: the newest")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check whether it can be done, and change nothing")
	return cmd
}

// copyDryRun says what a copy would make, as far as can be told from outside.
func copyDryRun(ctx context.Context, a *act, from, to string, at uint64) error {
	var source, target transport.GraphDetail
	if err := a.do(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(from)}, &source); err != nil {
		return err
	}
	if at > uint64(source.Version) {
		return &exitError{exitRefused, fmt.Errorf("%s is at version %d: there is no version %d to copy", from, source.Version, at)}
	}
	err := a.do(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(to)}, &target)
	problem := (*problemError)(nil)
	switch {
	case err == nil:
		return &exitError{exitRefused, fmt.Errorf("%s is there already, at version %d: choose another name", to, target.Version)}
	case !errors.As(err, &problem) || problem.Status != http.StatusNotFound:
		return err
	}
	copied := upkeep.Copied{GraphID: to, From: from, Version: source.Version}
	if at > 0 {
		copied.Version = eventstore.Version(at)
	}
	raw, err := json.Marshal(copied, json.Deterministic(true))
	if err != nil {
		return err
	}
	return a.out.copied(raw, true)
}

func (p *printer) copied(raw jsontext.Value, dryRun bool) error {
	if p.json {
		return p.object(raw)
	}
	var report upkeep.Copied
	if err := json.Unmarshal(raw, &report); err != nil {
		return err
	}
	p.linef("%s: %s is %s up to version %d", dryWord("copied", dryRun), report.GraphID, report.From, report.Version)
	return nil
}
