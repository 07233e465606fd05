package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"graphy/cmd/graphy/graphfile"
	"graphy/cmd/graphy/seed"
)

// seedFlags are what the seed command is told.
type seedFlags struct {
	server, graph, token string
	options              seed.Options
	patience             time.Duration
	dryRun, quiet        bool
	output               string
}

const (
	mostSeedEvents = 100_000
	mostSeedUsers  = 1000
)

func (c *cli) seedCommand() *cobra.Command {
	flags := &seedFlags{}
	cmd := &cobra.Command{
		Use:   "seed --graph ID",
		Short: "Make a demo graph with a lively history on a running server",
		Long: `Make a demo graph on a running server, through the API of clients: several users draw, drag, edit the same things at once
(some edits merge, some are left to people to settle), undo, redo, delete and bring back. The same --seed makes the same
history. A seeding that was stopped, by whatever, is finished by the same command. It takes a graph that is not there yet.

In development mode each user is a name; where the server wants tokens, they are made with GRAPHY_JWT_SECRET if this
command has it too, else all acts are those of --token (an owner's).

Exit codes: see graphy help exit-codes.`,
		Example: "  graphy seed --graph demo\n" +
			"  graphy seed --graph big --events 20000 --users 12 --seed 7 --server http://127.0.0.1:8080\n" +
			"  graphy seed --graph demo --dry-run",
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return flags.check() },
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := &act{cli: c, cmd: cmd, out: &printer{out: cmd.OutOrStdout(), json: flags.output == outputJSON},
				notes: cmd.ErrOrStderr(), quiet: flags.quiet}
			steps := seed.History(flags.options)
			if flags.dryRun {
				return a.showSeedPlan(steps)
			}
			return flags.run(cmd.Context(), a, steps)
		},
	}
	cmd.Flags().StringVar(&flags.server, "server", "http://127.0.0.1:3000", "address of the server, the one of clients")
	cmd.Flags().StringVar(&flags.graph, "graph", "", "id of the graph to make (required)")
	cmd.Flags().StringVar(&flags.token, "token", "", "bearer token (default: environment variable GRAPHY_TOKEN)")
	cmd.Flags().IntVar(&flags.options.Events, "events", 1000, "events to make, up to 100000")
	cmd.Flags().IntVar(&flags.options.Users, "users", 4, "users who make them, 2 to 1000")
	cmd.Flags().Uint64Var(&flags.options.Seed, "seed", 1, "which history, from 1 on")
	cmd.Flags().DurationVar(&flags.patience, "patience", 2*time.Minute, "how long to wait for a server that is away or busy")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "say what would be sent, and send nothing")
	cmd.Flags().StringVarP(&flags.output, "output", "o", outputTable, "table, for people, or json: one JSON object")
	cmd.Flags().BoolVarP(&flags.quiet, "quiet", "q", false, "no progress")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (f *seedFlags) check() error {
	switch {
	case f.graph == "" && !f.dryRun:
		return errors.New("--graph is missing: name the graph to make")
	case f.graph != "" && !graphfile.ValidID(f.graph):
		return invalidID("--graph", f.graph)
	case f.options.Events < 1 || f.options.Events > mostSeedEvents:
		return fmt.Errorf("--events %d: it is 1 to %d", f.options.Events, mostSeedEvents)
	case f.options.Users < 2 || f.options.Users > mostSeedUsers:
		return fmt.Errorf("--users %d: it is 2 to %d", f.options.Users, mostSeedUsers)
	case f.options.Seed == 0:
		return errors.New("--seed 0: it is a number from 1 on")
	}
	if _, err := serverAddress(f.server); err != nil {
		return err
	}
	return (&operatorFlags{output: f.output}).check()
}

func (f *seedFlags) run(ctx context.Context, a *act, steps []seed.Step) error {
	clients, err := f.clients(a.cli)
	if err != nil {
		return usageError{err}
	}
	m := a.meter("seed", "events")
	s := &seeder{clients: clients, retrier: retrier{patience: f.patience, wait: waitFor},
		tell: func(done, total int) { m.show(int64(done), int64(total), "") }}
	if !f.quiet {
		s.retrier.notify = newProgress(a.notes, 0).retrying
	}
	seeded, err := s.run(ctx, f.graph, steps)
	m.clear()
	if err != nil {
		code, text := codeOf(err), err.Error()
		if ctx.Err() != nil {
			code, text = exitInterrupted, errInterrupted.Error()
		}
		if s.done == 0 {
			return &exitError{code, errors.New(text)}
		}
		return &exitError{code, fmt.Errorf("%s after %d of %d events; go on with: %s", text, s.done, len(steps), again(a.cmd, nil, ""))}
	}
	if a.out.json {
		return a.out.value(seeded)
	}
	a.out.linef("seeded %s: %s, version %d, %v", seeded.GraphID, plural(seeded.Events, "event", "events"), seeded.Version,
		counts{seeded.Nodes, seeded.Edges})
	return nil
}

// clients returns how each user calls the API.
func (f *seedFlags) clients(c *cli) (func(user string) (*apiClient, error), error) {
	token := f.token
	if token == "" {
		token = c.getenv("GRAPHY_TOKEN")
	}
	var settings tokens
	if err := env.ParseWithOptions(&settings, env.Options{Prefix: "GRAPHY_"}); err != nil {
		return nil, err
	}
	carrier := http.DefaultTransport.(*http.Transport).Clone()
	carrier.ResponseHeaderTimeout = answerTimeout
	return func(user string) (*apiClient, error) {
		client := &apiClient{server: strings.TrimRight(f.server, "/"), graph: f.graph, user: user, token: token, http: &http.Client{Transport: carrier}}
		if token != "" || settings.Secret == "" {
			return client, nil
		}
		made, err := settings.mint(seedToken(user, f.graph), c.now())
		client.token = made.Token
		return client, err
	}, nil
}

// showSeedPlan says what would be sent.
func (a *act) showSeedPlan(steps []seed.Step) error {
	byType := map[string]int64{}
	users := map[string]bool{}
	for _, step := range steps {
		byType[step.EventType()]++
		users[step.User] = true
	}
	if a.out.json {
		return a.out.value(struct {
			Events int              `json:"events"`
			Users  []string         `json:"users"`
			ByType map[string]int64 `json:"byType"`
			DryRun bool             `json:"dryRun"`
		}{len(steps), slices.Sorted(maps.Keys(users)), byType, true})
	}
	return a.out.fields("events", len(steps), "users", strings.Join(slices.Sorted(maps.Keys(users)), ", "), "by type", byCount(byType))
}
