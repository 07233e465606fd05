package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// consent is the flag of a command that takes something away which nobody brings back.
type consent struct{ yes bool }

func (c *consent) register(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask; needed where nobody can be asked")
}

// check refuses a command that would have to ask and cannot. It is for PreRunE.
func (c *consent) check(cli *cli, cmd *cobra.Command) error {
	if c.yes || cli.terminal(cmd.InOrStdin()) {
		return nil
	}
	return errors.New("this takes something away, and there is no terminal to ask at: give --yes if it is meant, or --dry-run to see what it would do")
}

// ask asks whether to go on, and fails if not.
func (c *consent) ask(a *act, format string, args ...any) error {
	if c.yes {
		return nil
	}
	fmt.Fprintf(a.notes, "%s? [y/N] ", plain(fmt.Sprintf(format, args...)))
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil {
		fmt.Fprintln(a.notes)
	}
	return &exitError{exitRefused, errors.New("nothing was done")}
}
