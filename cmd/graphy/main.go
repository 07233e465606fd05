// Command graphy is the backend of collaborative graph editors. Without arguments it serves HTTP and WebSocket; see
// the README for a tour.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "graphy:", err)
		os.Exit(1)
	}
}

// newRootCommand returns the command line: serve is the default.
func newRootCommand() *cobra.Command {
	serve := newServeCommand()
	root := &cobra.Command{
		Use:   "graphy",
		Short: "The backend of collaborative graph editors",
		Long: "Graphy is the backend of collaborative graph editors: commands become events in a log for each graph,\n" +
			"events become read models, and every client sees every change in order.\n\n" +
			"Without a command it serves, on a Redis inside the process with a journal in ./graphy-data.",
		Args:          cobra.NoArgs,
		RunE:          serve.RunE,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.Flags().AddFlagSet(serve.Flags())
	root.AddCommand(serve, newImportCommand(), newExportCommand(), newWatchCommand(), newHealthCommand())
	return root
}
