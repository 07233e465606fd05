package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/transport"
)

func (c *cli) sessionsCommand() *cobra.Command {
	return group("sessions", "List the clients that are connected, and end their connections",
		"Clients that are connected to graphs, over WebSockets and event streams, in all processes on one Redis.",
		c.sessionsListCommand(), c.sessionsKickCommand())
}

func (c *cli) sessionsListCommand() *cobra.Command {
	flags := &operatorFlags{}
	graph, user, limit := "", "", 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List connections",
		Long: `List connections: of the process that answers with all that it knows, of other processes, and of clients that may come
back within their grace period (KIND remembered), as far as Redis tells. Exit codes: see graphy help exit-codes.`,
		Example: "  graphy sessions list --graph demo --server http://127.0.0.1:3001\n" +
			"  graphy sessions list --as ada --output json",
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return firstOf(flags.check(), checkLimit(limit)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, _ []string) error {
			query := url.Values{}
			setUnlessEmpty(query, "graph", graph)
			setUnlessEmpty(query, "user", user)
			var found []transport.SessionInfo
			err := eachItem(ctx, a, list{path: "/sessions", query: query, member: "sessions", next: "cursor", limit: limit},
				func(s transport.SessionInfo) { found = append(found, s) })
			if err != nil || a.out.json {
				return err
			}
			return a.out.print(sessionTable(found), "nobody is connected")
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&graph, "graph", "", "only connections to this graph")
	cmd.Flags().StringVar(&user, "as", "", "only connections of this user")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many; 0: all")
	return cmd
}

func sessionTable(sessions []transport.SessionInfo) *table {
	t := newTable("CLIENT", "USER", "GRAPH", "KIND", "ADDRESS", "SINCE", "REPORTED", "SENT", "LAG", "QUEUED")
	for _, s := range sessions {
		sent, queued := "", ""
		if s.Address != "" {
			sent, queued = fmt.Sprint(s.Sent), size(int64(s.Queued))
		}
		t.add(s.ClientID, s.UserID, s.GraphID, s.Kind, s.Address, at(s.Connected), s.Reported, sent, s.Lag, queued)
	}
	return t
}

func (c *cli) sessionsKickCommand() *cobra.Command {
	flags := &operatorFlags{}
	reason, dryRun := "", false
	cmd := &cobra.Command{
		Use:   "kick CLIENT",
		Short: "End all connections of a client",
		Long: `End the connections of a client, on whatever process they are (close code 1008), and forget where it was, so that it
begins anew. It may connect again, as long as its token lets it.

Exit codes: 4 if nobody has such a client; see graphy help exit-codes.`,
		Example: "  graphy sessions kick tab-1 --reason 'floods the log' --server http://127.0.0.1:3001\n" +
			"  graphy sessions kick tab-1 --dry-run",
		Args:    wants("CLIENT"),
		PreRunE: func(_ *cobra.Command, args []string) error { return firstOf(flags.check(), checkClient(args[0])) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			if dryRun {
				return kickDryRun(ctx, a, args[0])
			}
			request := call{method: http.MethodDelete, path: "/sessions/" + escaped(args[0])}
			if reason != "" {
				request.body = map[string]string{"reason": reason}
			}
			var raw jsontext.Value
			if err := a.do(ctx, request, &raw); err != nil {
				return err
			}
			var kicked transport.Kicked
			if a.out.json {
				return a.out.object(raw)
			}
			if err := json.Unmarshal(raw, &kicked); err != nil {
				return a.misunderstood(err)
			}
			a.out.linef("%s: ended %s", kicked.ClientID, plural(kicked.Ended, "connection", "connections"))
			return nil
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "list the connections that would be ended, and end none")
	return cmd
}

func checkClient(id string) error {
	if checkGraphs([]string{id}) != nil {
		return invalidID("client", id)
	}
	return nil
}

func kickDryRun(ctx context.Context, a *act, client string) error {
	var found []transport.SessionInfo
	silent := *a
	silent.out = &printer{out: a.out.out}
	err := eachItem(ctx, &silent, list{path: "/sessions", member: "sessions", next: "cursor"}, func(s transport.SessionInfo) {
		if s.ClientID == client {
			found = append(found, s)
		}
	})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return &exitError{exitRefused, fmt.Errorf("nobody has a client %s", client)}
	case !a.out.json:
		return a.out.print(sessionTable(found), "")
	}
	for _, session := range found {
		if err := a.out.value(session); err != nil {
			return err
		}
	}
	return nil
}
