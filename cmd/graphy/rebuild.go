package main

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"graphy/projection/upkeep"
	"graphy/transport"
)

// rebuildRequest is the body of POST /rebuild.
type rebuildRequest struct {
	transport.Selected
	FromSnapshot bool `json:"fromSnapshot,omitzero"`
	DryRun       bool `json:"dryRun,omitzero"`
}

func (c *cli) rebuildCommand() *cobra.Command {
	flags, selected, request := &operatorFlags{}, &selection{}, &rebuildRequest{}
	verbose := false
	cmd := &cobra.Command{
		Use:               "rebuild [GRAPH…|--all]",
		ValidArgsFunction: c.graphNames(flags, 0),
		Short:             "Build read models anew from the log, while everything runs",
		Long: `Build the read models of graphs anew from their logs, beside what is served, and put what differs in its place in one
step. Readers never see an empty or half model, writers go on, and two at once do no harm. A graph whose log cannot be
folded stays as it is, and is reported as parked, with the cause.

Outcomes: unchanged (nothing differed), rebuilt (there were no read models), different (some differed, and were replaced;
with --dry-run: would be), parked.

Exit codes: 0 done; 1 a graph is parked, some failed, or a dry run found what differs; see graphy help exit-codes.`,
		Example: "  graphy rebuild demo --dry-run\n" +
			"  graphy rebuild --all --server http://127.0.0.1:3001\n" +
			"  graphy rebuild --all --after g0412    # goes on after an interruption",
		PreRunE: func(_ *cobra.Command, args []string) error { return firstOf(flags.check(), selected.check(args)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			request.Selected = selected.of(args)
			return rebuilding(selected.all && !verbose).run(ctx, a, call{method: http.MethodPost, path: "/rebuild", body: request}, args)
		}),
	}
	flags.register(cmd)
	selected.register(cmd)
	cmd.Flags().BoolVar(&request.FromSnapshot, "from-snapshot", false, "fold from the newest snapshot that fits, not from the beginning")
	cmd.Flags().BoolVar(&request.DryRun, "dry-run", false, "find out what differs, and change nothing")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "with --all: show also graphs that are unchanged")
	return cmd
}

func rebuilding(brief bool) *each[upkeep.Rebuilt] {
	return &each[upkeep.Rebuilt]{
		what: "rebuild", brief: brief,
		head: []string{"GRAPH", "OUTCOME", "VERSION", "EVENTS", "DIFFERENCES", "TOOK", "CAUSE"},
		row: func(r upkeep.Rebuilt) []any {
			return []any{r.GraphID, dryWord(r.Outcome, r.DryRun), r.Version, r.Events, r.Differences, took(r.Millis), r.Cause}
		},
		details: func(r upkeep.Rebuilt) []string { return mismatchLines(r.GraphID, r.First, r.Differences) },
		outcome: func(r upkeep.Rebuilt) string { return dryWord(r.Outcome, r.DryRun) },
		wrong: func(r upkeep.Rebuilt) bool {
			return r.Outcome == "parked" || r.DryRun && r.Outcome == "different"
		},
		changed: func(r upkeep.Rebuilt) bool { return r.Outcome != "unchanged" },
	}
}

// dryWord marks an outcome that was only tried out, but for those that change nothing anyway.
func dryWord(outcome string, dryRun bool) string {
	switch outcome {
	case "unchanged", "kept", "skipped", "refused", "parked":
		return outcome
	}
	return tried(outcome, dryRun)
}

// tried marks what was only tried out.
func tried(outcome string, dryRun bool) string {
	if dryRun {
		return outcome + " (dry run)"
	}
	return outcome
}
