package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"graphy/projection/upkeep"
	"graphy/transport"
)

// retainRequest is the body of POST /retain.
type retainRequest struct {
	transport.Selected
	Events int    `json:"events,omitzero"`
	Age    string `json:"age,omitempty"`
	DryRun bool   `json:"dryRun,omitzero"`
}

func (c *cli) retainCommand() *cobra.Command {
	flags, selected, request := &operatorFlags{}, &selection{}, &retainRequest{}
	var age time.Duration
	verbose := false
	cmd := &cobra.Command{
		Use:               "retain [GRAPH…|--all]",
		ValidArgsFunction: c.graphNames(flags, 0),
		Short:             "Put old events into the archive and trim the logs",
		Long: `Trim the logs of graphs: take a snapshot, put what is older into the archive (if there is one: GRAPHY_ARCHIVE), read it
back, and only then drop it from Redis, a page at a time, so that nobody waits. What live clients still need is kept, and
always the newest 100 events. Without an archive what is trimmed is gone.

The policy is GRAPHY_RETAIN unless --events or --age is given; what is beyond either is trimmed. Servers do the same by
themselves from time to time.

Outcomes: trimmed, kept (there was nothing to trim), skipped (it could not be; see CAUSE).

Exit codes: 0 done; 1 some graphs were skipped or failed; see graphy help exit-codes.`,
		Example: "  graphy retain --all --dry-run\n" +
			"  graphy retain demo --events 10000 --age 720h --server http://127.0.0.1:3001",
		PreRunE: func(_ *cobra.Command, args []string) error {
			if request.Events < 0 || age < 0 {
				return errors.New("--events and --age are what is kept: a number of events, and a duration like 720h")
			}
			if age > 0 {
				request.Age = age.String()
			}
			return firstOf(flags.check(), selected.check(args))
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			request.Selected = selected.of(args)
			return retaining(selected.all && !verbose).run(ctx, a, call{method: http.MethodPost, path: "/retain", body: request}, args)
		}),
	}
	flags.register(cmd)
	selected.register(cmd)
	cmd.Flags().IntVar(&request.Events, "events", 0, "keep so many of the newest events; 0: as many as GRAPHY_RETAIN says, or there is no such bound")
	cmd.Flags().DurationVar(&age, "age", 0, "keep events that are younger; 0: as GRAPHY_RETAIN says, or there is no such bound")
	cmd.Flags().BoolVar(&request.DryRun, "dry-run", false, "say what would be trimmed, and change nothing")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "with --all: show also graphs where nothing was trimmed")
	return cmd
}

func retaining(brief bool) *each[upkeep.Retained] {
	return &each[upkeep.Retained]{
		what: "retain", brief: brief,
		head: []string{"GRAPH", "OUTCOME", "TRIMMED", "ARCHIVED", "FIRST", "VERSION", "TOOK", "CAUSE"},
		row: func(r upkeep.Retained) []any {
			return []any{r.GraphID, dryWord(r.Outcome, r.DryRun), r.Trimmed, r.Archived, r.First, r.Version, took(r.Millis), r.Cause}
		},
		outcome: func(r upkeep.Retained) string { return dryWord(r.Outcome, r.DryRun) },
		wrong:   func(r upkeep.Retained) bool { return r.Outcome == "skipped" },
		changed: func(r upkeep.Retained) bool { return r.Outcome == "trimmed" },
	}
}

func (c *cli) restoreCommand() *cobra.Command {
	flags, allowed := &operatorFlags{}, &consent{}
	request := struct {
		transport.Selected
		DryRun bool `json:"dryRun,omitzero"`
	}{}
	cmd := &cobra.Command{
		Use:               "restore GRAPH…",
		ValidArgsFunction: c.graphNames(flags, 0),
		Short:             "Bring trimmed or damaged events back from the archive",
		Long: `Bring the events of graphs back from the archive into their logs: those that were trimmed, and in the place of damaged
ones those that were archived, if they lead to the same history. It is done beside what is served and put in its place in
one step.

It asks first, since it replaces what stands in the log; --yes answers.

Outcomes: restored, unchanged (all of it was there). Exit codes: see graphy help exit-codes.`,
		Example: "  graphy restore demo --dry-run\n" +
			"  graphy restore demo --yes --server http://127.0.0.1:3001",
		Args: wantsGraphs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			err := flags.check()
			if err == nil && !request.DryRun {
				err = allowed.check(c, cmd)
			}
			return err
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			if !request.DryRun {
				if err := allowed.ask(a, "restore the log of %s from the archive, in %s", listed(args), a.where); err != nil {
					return err
				}
			}
			request.Graphs = args
			return restoring().run(ctx, a, call{method: http.MethodPost, path: "/restore", body: request}, args)
		}),
	}
	flags.register(cmd)
	allowed.register(cmd)
	cmd.Flags().BoolVar(&request.DryRun, "dry-run", false, "say what would be brought back, and change nothing")
	return cmd
}

func restoring() *each[upkeep.Restored] {
	return &each[upkeep.Restored]{
		what: "restore",
		head: []string{"GRAPH", "OUTCOME", "ADDED", "REPLACED", "FIRST", "VERSION", "TOOK"},
		row: func(r upkeep.Restored) []any {
			return []any{r.GraphID, dryWord(r.Outcome, r.DryRun), r.Added, r.Changed, r.First, r.Version, took(r.Millis)}
		},
		outcome: func(r upkeep.Restored) string { return dryWord(r.Outcome, r.DryRun) },
		wrong:   func(upkeep.Restored) bool { return false },
	}
}

// listed names a few of the graphs.
func listed(graphs []string) string {
	if len(graphs) <= 3 {
		return strings.Join(graphs, ", ")
	}
	return fmt.Sprintf("%s and %d more graphs", strings.Join(graphs[:2], ", "), len(graphs)-2)
}
