package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/transport"
)

func (c *cli) deadLettersCommand() *cobra.Command {
	return group("deadletters", "List, show, retry, skip and discard events that could not be processed",
		`A dead letter is an event that could not be folded: its graph is parked, all others go on. After the cause was mended,
retry has the projectors try again; skip takes the event out of the graph's history; discard closes the letter and
changes nothing else.`,
		c.deadLettersListCommand(), c.deadLettersShowCommand(), c.deadLettersRetryCommand(), c.deadLettersSkipCommand(), c.deadLettersDiscardCommand())
}

func (c *cli) deadLettersListCommand() *cobra.Command {
	flags := &operatorFlags{}
	graph, closed, limit := "", false, 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, newest first",
		Long:  "List the dead letters that are open, or with --closed those that were dealt with. Exit codes: see graphy help exit-codes.",
		Example: "  graphy deadletters list\n" +
			"  graphy deadletters list --closed --graph demo --limit 20 --output json",
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return firstOf(flags.check(), checkLimit(limit)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, _ []string) error {
			query := url.Values{}
			setUnlessEmpty(query, "graph", graph)
			if closed {
				query.Set("closed", "true")
			}
			head := []string{"ID", "GRAPH", "VERSION", "ATTEMPTS", "TIME", "CAUSE"}
			if closed {
				head = append(head, "OUTCOME", "BY", "REASON")
			}
			t := newTable(head...)
			err := eachItem(ctx, a, list{path: "/deadletters", query: query, member: "letters", next: "before", limit: limit}, func(l transport.LetterInfo) {
				row := []any{l.ID, l.GraphID, l.Version, l.Attempts, at(l.Time), l.Cause}
				if closed && l.Closed != nil {
					row = append(row, l.Closed.Outcome, l.Closed.By, l.Closed.Reason)
				}
				t.add(row...)
			})
			if err != nil || a.out.json {
				return err
			}
			return a.out.print(t, "there are no dead letters")
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&graph, "graph", "", "only of this graph")
	cmd.Flags().BoolVar(&closed, "closed", false, "those that were dealt with, and how")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many; 0: all")
	return cmd
}

func (c *cli) deadLettersShowCommand() *cobra.Command {
	flags := &operatorFlags{}
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter with its event",
		Long:  "Show a dead letter: which event of which graph, why it could not be processed, and the event as the log holds it.\nExit codes: see graphy help exit-codes.",
		Example: "  graphy deadletters show 1760000000000-0\n" +
			"  graphy deadletters show 1760000000000-0 --output json | jq -r .payload",
		Args:    wants("ID"),
		PreRunE: func(*cobra.Command, []string) error { return flags.check() },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			var raw jsontext.Value
			if err := a.do(ctx, call{method: http.MethodGet, path: "/deadletters/" + escaped(args[0])}, &raw); err != nil {
				return err
			}
			if a.out.json {
				return a.out.object(raw)
			}
			var letter transport.LetterInfo
			if err := json.Unmarshal(raw, &letter); err != nil {
				return a.misunderstood(err)
			}
			pairs := []any{"id", letter.ID, "graph", letter.GraphID, "version", letter.Version, "cause", letter.Cause,
				"attempts", letter.Attempts, "time", at(letter.Time)}
			if done := letter.Closed; done != nil {
				pairs = append(pairs, "closed", fmt.Sprintf("%s by %s on %s: %s", done.Outcome, done.By, at(done.Time), done.Reason))
			}
			return a.out.fields(append(pairs, "event", letter.Payload)...)
		}),
	}
	flags.register(cmd)
	return cmd
}

// letterDeed is what can be done about a dead letter.
type letterDeed struct {
	verb        string // "skip"
	short, long string
	asks        bool // first
	cascade     bool // knows --cascade
}

func (c *cli) deadLettersRetryCommand() *cobra.Command {
	return c.letterCommand(letterDeed{verb: "retry", short: "Have the projectors try a parked graph again",
		long: `Have the projectors try the graph of a dead letter again, after its cause was mended (the log was restored, or a newer
program can read the event), and close the letter. If it fails again, there is a new letter.`})
}

func (c *cli) deadLettersSkipCommand() *cobra.Command {
	return c.letterCommand(letterDeed{verb: "skip", asks: true, cascade: true, short: "Take the event of a dead letter out of its graph's history",
		long: `Take an event out of the history of its graph: in its place stands an event of type SKIP without changes, with the reason
and who did it, so that every later rebuild skips it too. Later events stay, with new hashes; clients that have the old
ones are given a state. Where later events cannot be folded without it, nothing is done (exit code 4) and they are named;
--cascade skips them too. With an archive the old bytes are kept there.`})
}

func (c *cli) deadLettersDiscardCommand() *cobra.Command {
	return c.letterCommand(letterDeed{verb: "discard", asks: true, short: "Close a dead letter and change nothing else",
		long: `Close a dead letter; its graph stays as it is, parked if it was.`})
}

func (c *cli) letterCommand(deed letterDeed) *cobra.Command {
	flags, allowed := &operatorFlags{}, &consent{}
	request := struct {
		Reason  string `json:"reason"`
		Cascade bool   `json:"cascade,omitzero"`
		DryRun  bool   `json:"dryRun,omitzero"`
	}{}
	asks := ""
	if deed.asks {
		asks = " It asks first; --yes answers."
	}
	cmd := &cobra.Command{
		Use:   deed.verb + " ID --reason WHY",
		Short: deed.short,
		Long:  deed.long + "\n\n--reason goes into the audit and stays with the letter." + asks + " Exit codes: see graphy help exit-codes.",
		Example: fmt.Sprintf("  graphy deadletters %s 1760000000000-0 --reason 'bit flip after the outage' --dry-run\n", deed.verb) +
			fmt.Sprintf("  graphy deadletters %s 1760000000000-0 --reason 'bit flip after the outage'%s", deed.verb, map[bool]string{true: " --yes"}[deed.asks]),
		Args: wants("ID"),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(request.Reason) == "" {
				return errors.New("--reason is missing: say why, for those who look into it later")
			}
			err := flags.check()
			if err == nil && deed.asks && !request.DryRun {
				err = allowed.check(c, cmd)
			}
			return err
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			if deed.asks && !request.DryRun {
				if err := allowed.ask(a, "%s dead letter %s, in %s", deed.verb, args[0], a.where); err != nil {
					return err
				}
			}
			var raw jsontext.Value
			if err := a.do(ctx, call{method: http.MethodPost, path: "/deadletters/" + escaped(args[0]) + "/" + deed.verb, body: request}, &raw); err != nil {
				return err
			}
			return a.out.letterAct(raw)
		}),
	}
	flags.register(cmd)
	if deed.asks {
		allowed.register(cmd)
	}
	cmd.Flags().StringVar(&request.Reason, "reason", "", "why; at most 500 bytes on one line (required)")
	cmd.Flags().BoolVar(&request.DryRun, "dry-run", false, "say what would be done, and change nothing")
	if deed.cascade {
		cmd.Flags().BoolVar(&request.Cascade, "cascade", false, "also skip later events that cannot be folded without it")
	}
	return cmd
}

// letterAct shows what was done about a dead letter.
func (p *printer) letterAct(raw jsontext.Value) error {
	if p.json {
		return p.object(raw)
	}
	var did transport.LetterAct
	if err := json.Unmarshal(raw, &did); err != nil {
		return err
	}
	p.linef("%s: %s, of graph %s", did.ID, tried(did.Outcome, did.DryRun), did.GraphID)
	if s := did.Skipped; s != nil {
		words := make([]string, len(s.Skipped))
		for i, version := range s.Skipped {
			words[i] = fmt.Sprint(version)
		}
		p.linef("skipped versions: %s; the graph is at version %d", strings.Join(words, ", "), s.Version)
	}
	return nil
}
