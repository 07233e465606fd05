package main

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"graphy/projection/upkeep"
)

func (c *cli) verifyCommand() *cobra.Command {
	flags, selected := &operatorFlags{}, &selection{}
	verbose := false
	cmd := &cobra.Command{
		Use:               "verify [GRAPH…|--all]",
		ValidArgsFunction: c.graphNames(flags, 0),
		Short:             "Check logs and read models against each other, event by event",
		Long: `Check graphs event by event: the hash chain, versions without a hole, the checksum of every event, the index of
operations, and that the read models are, byte for byte, what the log folds to (nodes, edges, incidence sets, viewport,
conflicts, counts). Nothing is changed, and writers and readers go on meanwhile.

With --all the table shows only graphs that are not as they should be; --verbose shows all.

Exit codes: 0 all is as it should be; 1 something is not, and the report says what; see graphy help exit-codes.
What to do then: a read model that differs is built anew by graphy rebuild; a log that is damaged is brought back from
the archive by graphy restore, or the damaged events are taken out by graphy deadletters skip.`,
		Example: "  graphy verify demo\n" +
			"  graphy verify --all --server http://127.0.0.1:3001\n" +
			"  graphy verify --all --output json | jq 'select(.ok | not)'",
		PreRunE: func(_ *cobra.Command, args []string) error { return firstOf(flags.check(), selected.check(args)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			return verification(selected.all && !verbose).run(ctx, a, call{method: http.MethodPost, path: "/verify", body: selected.of(args)}, args)
		}),
	}
	flags.register(cmd)
	selected.register(cmd)
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "with --all: show all graphs")
	return cmd
}

func verification(brief bool) *each[upkeep.Verified] {
	return &each[upkeep.Verified]{
		what: "verify", brief: brief,
		head: []string{"GRAPH", "VERIFIED", "VERSION", "CHECKPOINT", "EVENTS", "MISMATCHES", "TOOK"},
		row: func(r upkeep.Verified) []any {
			return []any{r.GraphID, okWord(r.OK), r.Version, r.Checkpoint, r.Events, r.Mismatches, took(r.Millis)}
		},
		details: func(r upkeep.Verified) []string { return mismatchLines(r.GraphID, r.First, r.Mismatches) },
		outcome: func(r upkeep.Verified) string { return okWord(r.OK) },
		wrong:   func(r upkeep.Verified) bool { return !r.OK },
	}
}

func okWord(ok bool) string {
	if ok {
		return "ok"
	}
	return "WRONG"
}

// firstOf returns the first error that there is.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
