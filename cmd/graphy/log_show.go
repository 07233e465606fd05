package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/transport"
)

func (c *cli) logShowCommand() *cobra.Command {
	flags := &operatorFlags{}
	var since, to, limit uint64
	cmd := &cobra.Command{
		Use:               "show GRAPH",
		ValidArgsFunction: c.graphNames(flags, 1),
		Short:             "Show the events of a graph",
		Long: `Show the events of a graph, oldest first: as a line for people, or with --output json byte for byte as the log holds
them, with the hash of each, one on a line. Below what was trimmed they come from the archive.
Exit codes: see graphy help exit-codes.`,
		Example: "  graphy log show demo --since 41 --limit 10\n" +
			"  graphy log show demo --output json > demo.jsonl",
		Args: wants("GRAPH"),
		PreRunE: func(_ *cobra.Command, args []string) error {
			if to > 0 && to <= since {
				return fmt.Errorf("--to %d is not above --since %d", to, since)
			}
			return firstOf(flags.check(), checkGraphs(args))
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			return a.showLog(ctx, args[0], since, logQuery(since, to, limit, false))
		}),
	}
	flags.register(cmd)
	cmd.Flags().Uint64Var(&since, "since", 0, "events after this version")
	cmd.Flags().Uint64Var(&to, "to", 0, "events up to this version; 0: to the end")
	cmd.Flags().Uint64Var(&limit, "limit", 0, "at most so many; 0: all")
	return cmd
}

func (c *cli) logTailCommand() *cobra.Command {
	flags := &operatorFlags{}
	var since uint64
	cmd := &cobra.Command{
		Use:               "tail GRAPH",
		ValidArgsFunction: c.graphNames(flags, 1),
		Short:             "Show the events of a graph as they come",
		Long: `Show the events of a graph that come from now on, or after --since, until Ctrl-C (exit code 130), or until the graph is
deleted or rewritten. Exit codes: see graphy help exit-codes.`,
		Example: "  graphy log tail demo --server http://127.0.0.1:3001\n" +
			"  graphy log tail demo --since 0 --output json | jq -c .commandType",
		Args:    wants("GRAPH"),
		PreRunE: func(_ *cobra.Command, args []string) error { return firstOf(flags.check(), checkGraphs(args)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			if !a.cmd.Flags().Changed("since") {
				var info transport.GraphInfo
				if err := a.do(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(args[0])}, &info); err != nil {
					return err
				}
				since = uint64(info.Version)
			}
			return a.showLog(ctx, args[0], since, logQuery(since, 0, 0, true))
		}),
	}
	flags.register(cmd)
	cmd.Flags().Uint64Var(&since, "since", 0, "events after this version (default: the newest)")
	return cmd
}

func logQuery(since, to, limit uint64, follow bool) url.Values {
	query := url.Values{}
	for name, value := range map[string]uint64{"since": since, "to": to, "limit": limit} {
		if value > 0 {
			query.Set(name, strconv.FormatUint(value, 10))
		}
	}
	if follow {
		query.Set("follow", "true")
	}
	return query
}

// showLog prints the events of a graph as they come. last is the version that the first one follows.
func (a *act) showLog(ctx context.Context, graph string, last uint64, query url.Values) error {
	for text, err := range a.lines(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(graph) + "/log", query: query}) {
		var e logged
		if err == nil {
			err = e.read(text)
		}
		if err != nil {
			if ctx.Err() != nil {
				err = errInterrupted
			}
			if last > 0 {
				err = &exitError{codeOf(err), fmt.Errorf("%w after version %d", err, last)}
			}
			return err
		}
		last = e.Version
		if a.out.json {
			_, err = a.out.out.Write(append(text, '\n'))
		} else {
			_, err = fmt.Fprintln(a.out.out, plain(e.String()))
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// logged is what a line for people says of an event.
type logged struct {
	Version     uint64         `json:"version"`
	CommandType string         `json:"commandType"`
	OperationID string         `json:"operationId"`
	UserID      string         `json:"userId"`
	Timestamp   int64          `json:"timestamp"`
	Changes     []loggedChange `json:"changes"`
	Undoes      []uint64       `json:"undoes"`
	Redoes      []uint64       `json:"redoes"`
	Conflict    *struct {
		Resolution string `json:"resolution"`
	} `json:"conflict"`
	Damaged string `json:"damaged"`
}

type loggedChange struct {
	Op    string                    `json:"op"`
	Kind  string                    `json:"kind"`
	ID    string                    `json:"id"`
	Set   map[string]jsontext.Value `json:"set"`
	Was   jsontext.Value            `json:"was"`
	Value jsontext.Value            `json:"value"`
}

// read decodes a line of a log, or returns the error that it holds.
func (e *logged) read(text []byte) error {
	if bytes.HasPrefix(text, []byte(`{"type":"error"`)) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("the answer is not what Graphy gives: %w", err)
		}
		return problemOf(l.Error)
	}
	if err := json.Unmarshal(text, e); err != nil {
		if e.Version == 0 {
			return fmt.Errorf("the answer is not what Graphy gives: %w", err)
		}
		e.Damaged = string(text)
	}
	if e.Version == 0 {
		return errors.New("the answer is not what Graphy gives: an event has no version")
	}
	return nil
}

// String returns the event on a line.
func (e *logged) String() string {
	if e.Damaged != "" {
		return fmt.Sprintf("%7d  DAMAGED  %.200s", e.Version, e.Damaged)
	}
	words := make([]string, 0, 4)
	for i, change := range e.Changes {
		if i == 3 {
			words = append(words, fmt.Sprintf("and %d more", len(e.Changes)-i))
			break
		}
		words = append(words, change.words())
	}
	text := fmt.Sprintf("%7d  %s  %-12s %-22s %s", e.Version, at(e.Timestamp), e.UserID, e.CommandType, strings.Join(words, ", "))
	for name, versions := range map[string][]uint64{"undoes": e.Undoes, "redoes": e.Redoes} {
		if len(versions) > 0 {
			text += fmt.Sprintf("  (%s %s)", name, strings.Trim(fmt.Sprint(versions), "[]"))
		}
	}
	if e.Conflict != nil {
		text += "  (conflict: " + e.Conflict.Resolution + ")"
	}
	return strings.TrimRight(text, " ")
}

func (c *loggedChange) words() string {
	text := c.Op + " " + c.Kind
	if c.ID != c.Kind { // as the viewport's is
		text += " " + c.ID
	}
	names := slices.DeleteFunc(propertyNames(c.Set), func(name string) bool { return name == "updatedAt" })
	if len(names) > 0 {
		text += " (" + strings.Join(names, " ") + ")"
	}
	return text
}
