package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/projection/upkeep"
)

func (c *cli) logDiffCommand() *cobra.Command {
	flags := &operatorFlags{}
	var from, to uint64
	with := ""
	cmd := &cobra.Command{
		Use:               "diff GRAPH",
		ValidArgsFunction: c.graphNames(flags, 1),
		Short:             "Show the net change between two versions, or where two histories part",
		Long: `Show what changed in a graph from one version to another: at most one change for each node and edge. Or, with --with, where
its history and that of another graph part: exit code 0 if they are the same, 1 if not.
Exit codes: see graphy help exit-codes.`,
		Example: "  graphy log diff demo --from 40 --to 44\n" +
			"  graphy log diff demo --with demo-copy",
		Args: wants("GRAPH"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if to > 0 && from > to {
				return fmt.Errorf("--from %d is above --to %d", from, to)
			}
			if with == "" && !cmd.Flags().Changed("from") {
				return errors.New("give --from VERSION, or --with GRAPH")
			}
			if with != "" {
				args = append(slices.Clone(args), with)
			}
			return firstOf(flags.check(), checkGraphs(args))
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			query := url.Values{}
			if with != "" {
				query.Set("with", with)
			} else {
				query.Set("from", strconv.FormatUint(from, 10))
			}
			if to > 0 {
				query.Set("to", strconv.FormatUint(to, 10))
			}
			var raw jsontext.Value
			if err := a.do(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(args[0]) + "/log/diff", query: query}, &raw); err != nil {
				return err
			}
			if with != "" {
				return a.showCompared(raw, args[0], with)
			}
			return a.showDiff(raw)
		}),
	}
	flags.register(cmd)
	cmd.Flags().Uint64Var(&from, "from", 0, "the earlier version")
	cmd.Flags().Uint64Var(&to, "to", 0, "the later version; 0: the newest")
	cmd.Flags().StringVar(&with, "with", "", "another graph, to compare histories with")
	cmd.MarkFlagsMutuallyExclusive("with", "from")
	cmd.MarkFlagsMutuallyExclusive("with", "to")
	return cmd
}

func (a *act) showDiff(raw jsontext.Value) error {
	if a.out.json {
		return a.out.object(raw)
	}
	var diff struct {
		From    uint64         `json:"from"`
		To      uint64         `json:"to"`
		Changes []loggedChange `json:"changes"`
	}
	if err := json.Unmarshal(raw, &diff); err != nil {
		return a.misunderstood(err)
	}
	a.out.linef("from version %d to version %d: %s", diff.From, diff.To, plural(len(diff.Changes), "change", "changes"))
	for _, change := range diff.Changes {
		for _, text := range change.lines() {
			a.out.linef("%s", plain(text))
		}
	}
	return nil
}

// lines shows a change of a diff: what is new, what is gone, and each property that is another one.
func (c *loggedChange) lines() []string {
	switch c.Op {
	case "put":
		return []string{fmt.Sprintf("+ %s %s %s", c.Kind, c.ID, cut(c.Value))}
	case "delete":
		return []string{fmt.Sprintf("- %s %s %s", c.Kind, c.ID, cut(c.Was))}
	}
	var was map[string]jsontext.Value
	_ = json.Unmarshal(c.Was, &was) // a value that is not there shows as null
	lines := []string{fmt.Sprintf("~ %s %s", c.Kind, c.ID)}
	for _, name := range propertyNames(c.Set) {
		before := was[name]
		if before == nil {
			before = jsontext.Value("null")
		}
		lines = append(lines, fmt.Sprintf("    %s: %s → %s", name, cut(before), cut(c.Set[name])))
	}
	return lines
}

// cut shortens a value that would fill the screen.
func cut(value jsontext.Value) string {
	const most = 200
	text := []rune(string(value))
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}

func propertyNames(properties map[string]jsontext.Value) []string {
	return slices.Sorted(maps.Keys(properties))
}

func (a *act) showCompared(raw jsontext.Value, graph, other string) error {
	var compared upkeep.Compared
	if err := json.Unmarshal(raw, &compared); err != nil {
		return a.misunderstood(err)
	}
	if a.out.json {
		if err := a.out.object(raw); err != nil {
			return err
		}
	} else {
		common := compared.Common.Version
		switch {
		case compared.Same:
			a.out.linef("%s and %s have the same history, up to version %d", graph, other, common)
		case common == compared.A.Version:
			a.out.linef("%s has all of %s, which is at version %d, and goes on to version %d", other, graph, common, compared.B.Version)
		case common == compared.B.Version:
			a.out.linef("%s has all of %s, which is at version %d, and goes on to version %d", graph, other, common, compared.A.Version)
		default:
			a.out.linef("%s (version %d) and %s (version %d) part after version %d", graph, compared.A.Version, other, compared.B.Version, common)
		}
	}
	if !compared.Same {
		return &exitError{code: exitWrong}
	}
	return nil
}
