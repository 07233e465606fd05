package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"graphy/transport"
)

// completionPatience is how long a shell waits for the names of graphs.
const completionPatience = 2 * time.Second

// graphNames completes the ids of graphs, of the server or the Redis that the command line or the environment names. A
// data folder is not opened for that: it may be large, or in use.
func (c *cli) graphNames(flags *operatorFlags, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		const none = cobra.ShellCompDirectiveNoFileComp
		if most > 0 && len(args) >= most || flags.server == "" && flags.redisURL == "" && c.getenv("GRAPHY_REDIS_URL") == "" {
			return nil, none
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), completionPatience)
		defer cancel()
		cmd.SetErr(io.Discard)
		quiet := *flags
		quiet.logLevel = "fatal"
		api, err := c.openOperator(ctx, &quiet, cmd)
		if err != nil {
			return nil, none
		}
		defer func() { _ = api.close() }()
		var page transport.Graphs
		if err := api.do(ctx, call{method: http.MethodGet, path: "/graphs", query: url.Values{"limit": {"500"}}}, &page); err != nil {
			return nil, none
		}
		var names []string
		for _, graph := range page.Graphs {
			if strings.HasPrefix(graph.GraphID, begun) {
				names = append(names, graph.GraphID)
			}
		}
		return names, none
	}
}
