package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"
)

// cli is what the commands of operators take from the process that they run in.
type cli struct {
	// local opens the operators' API inside the process (openOperator).
	local    func(ctx context.Context, c *config, logger *zap.Logger) (http.Handler, func() error, error)
	terminal func(stream any) bool // whether a person sits at this stream
	now      func() time.Time
	getenv   func(string) string
}

func newCLI() *cli {
	return &cli{local: openOperator, terminal: isTerminal, now: time.Now, getenv: os.Getenv}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// act is one run of a command of operators: the API that it calls, and where it writes.
type act struct {
	*operator
	cli   *cli
	cmd   *cobra.Command
	in    io.Reader
	out   *printer
	notes io.Writer // standard error
	quiet bool
}

// operate makes the RunE of a command that calls the operators' API.
func (c *cli) operate(flags *operatorFlags, do func(ctx context.Context, a *act, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		ctx := cmd.Context()
		api, err := c.openOperator(ctx, flags, cmd)
		if err != nil {
			return interruption(ctx, err)
		}
		a := &act{operator: api, cli: c, cmd: cmd, in: cmd.InOrStdin(), out: flags.printer(cmd.OutOrStdout()), notes: cmd.ErrOrStderr(), quiet: flags.quiet}
		err = do(ctx, a, args)
		if closed := api.close(); err == nil {
			err = closed
		}
		return interruption(ctx, err)
	}
}

// interruption returns errInterrupted in the place of an error that only says that ctx was cancelled.
func interruption(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && codeOf(err) == exitInterrupted {
		if _, told := errors.AsType[*exitError](err); !told {
			return errInterrupted
		}
	}
	return err
}
