// Command graphy is the backend of collaborative graph editors. Without arguments it serves HTTP and WebSocket; see
// the README for a tour, and for what operators do with its other commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends what does not want to end
	code := execute(ctx, newRootCommand(), os.Stderr)
	stop()
	os.Exit(code)
}

// execute runs a command line, says what went wrong, and returns the exit code.
func execute(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "graphy:", text)
	}
	var exit *exitError
	if !errors.As(err, &exit) { // no command ran
		return exitUsage
	}
	return exit.code
}

// newRootCommand returns the command line: serve is the default.
func newRootCommand() *cobra.Command { return newCLI().root() }

// The groups that help lists commands in.
const (
	groupServe    = "serve"
	groupDrawings = "drawings"
	groupLook     = "look"
	groupRepair   = "repair"
	groupKeep     = "keep"
	groupSetup    = "setup"
)

func (c *cli) root() *cobra.Command {
	serve := newServeCommand()
	if serve.Long == "" {
		serve.Long = serve.Short + ".\n\nExit codes: 0 when it was stopped by Ctrl-C or SIGTERM; 1 if it cannot start, and why; see graphy help exit-codes."
	}
	root := &cobra.Command{
		Use:   "graphy",
		Short: "The backend of collaborative graph editors",
		Long: "Graphy is the backend of collaborative graph editors: commands become events in a log for each graph,\n" +
			"events become read models, and every client sees every change in order.\n\n" +
			"Without a command it serves, on a Redis inside the process with a journal in ./graphy-data.\n\n" +
			"The commands of operators call the operators' address of a running server with --server; without it they work on\n" +
			"the Redis at GRAPHY_REDIS_URL, or on the data folder, by themselves. See also: graphy help exit-codes.",
		Example: "  graphy\n" +
			"  graphy verify --all --server http://127.0.0.1:3001\n" +
			"  GRAPHY_REDIS_URL=redis://127.0.0.1:6379 graphy doctor",
		Args:          knownCommand,
		RunE:          serve.RunE,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.Flags().AddFlagSet(serve.Flags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: groupServe, Title: "Serving:"},
		&cobra.Group{ID: groupDrawings, Title: "Drawings (nodes and edges as files of other programs, and live):"},
		&cobra.Group{ID: groupLook, Title: "Looking after graphs:"},
		&cobra.Group{ID: groupRepair, Title: "Repairing:"},
		&cobra.Group{ID: groupKeep, Title: "Keeping logs (archives hold whole histories):"},
		&cobra.Group{ID: groupSetup, Title: "Setting up:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, command := range commands {
			command.GroupID = group
		}
		root.AddCommand(commands...)
	}
	add(groupServe, serve, newHealthCommand())
	add(groupDrawings, newImportCommand(), newExportCommand(), newWatchCommand())
	add(groupLook, c.graphsCommand(), c.sessionsCommand(), c.conflictsCommand(), c.verifyCommand(), c.doctorCommand())
	add(groupRepair, c.rebuildCommand(), c.deadLettersCommand())
	add(groupKeep, c.logCommand(), c.retainCommand(), c.restoreCommand(), c.archiveCommand())
	add(groupSetup, c.configCommand(), c.tokenCommand(), c.seedCommand())
	root.SetHelpCommandGroupID(groupSetup)
	root.SetCompletionCommandGroupID(groupSetup)
	root.AddCommand(&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesHelp})
	giveExitCodes(root)
	return root
}

// giveExitCodes lets every error of a command that ran know its exit code.
func giveExitCodes(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var exit *exitError
			if err == nil || errors.As(err, &exit) {
				return err
			}
			return &exitError{codeOf(err), err}
		}
	}
	for _, child := range cmd.Commands() {
		giveExitCodes(child)
	}
}

// group returns a command that only holds others.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	for i, command := range commands {
		if i > 0 {
			cmd.Example += "\n"
		}
		cmd.Example += command.Example
	}
	cmd.AddCommand(commands...)
	return cmd
}

// knownCommand refuses a command that does not exist, and names those that are like it.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q; see `%s --help`", cmd.CommandPath()+" "+args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	for _, like := range cmd.SuggestionsFor(args[0]) {
		text += fmt.Sprintf("; did you mean `%s %s`?", cmd.CommandPath(), like)
	}
	return errors.New(text)
}
