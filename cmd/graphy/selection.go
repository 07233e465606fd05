package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"graphy/cmd/graphy/graphfile"
	"graphy/transport"
)

// selection are the flags of a command that is for several graphs.
type selection struct {
	all      bool
	after    string
	parallel int
}

func (s *selection) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&s.all, "all", false, "all graphs")
	flags.StringVar(&s.after, "after", "", "only graphs whose ids come after this one: to go on where an interrupted command was")
	flags.IntVar(&s.parallel, "parallel", 0, "graphs at a time; 0: as the server sees fit")
}

// check refuses what selects nothing, or in two ways.
func (s *selection) check(args []string) error {
	switch {
	case s.all && len(args) > 0:
		return errors.New("name graphs, or give --all, not both")
	case !s.all && len(args) == 0:
		return errors.New("name the graphs, or give --all")
	case s.parallel < 0:
		return fmt.Errorf("--parallel %d: it is a number of graphs, or 0", s.parallel)
	case s.after != "" && !graphfile.ValidID(s.after):
		return invalidID("--after", s.after)
	}
	return checkGraphs(args)
}

// of returns the selection as the API takes it.
func (s *selection) of(args []string) transport.Selected {
	return transport.Selected{Graphs: args, All: s.all, After: s.after, Parallel: s.parallel}
}

func checkGraphs(graphs []string) error {
	for _, graph := range graphs {
		if !graphfile.ValidID(graph) {
			return invalidID("graph", graph)
		}
	}
	return nil
}

func invalidID(what, id string) error {
	return fmt.Errorf("%s %q: an id is 1 to 128 of A-Z a-z 0-9 . _ ~ : @ -", what, id)
}

// again returns the command line that goes on after a graph; "" for one that begins anew.
func again(cmd *cobra.Command, args []string, after string) string {
	words := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		switch {
		case flag.Name == "after", flag.Name == "token": // one is replaced, the other is nobody's to read
		case flag.Value.Type() == "bool":
			words = append(words, "--"+flag.Name)
		default:
			words = append(words, "--"+flag.Name, quotedForShell(flag.Value.String()))
		}
	})
	for _, arg := range args {
		words = append(words, quotedForShell(arg))
	}
	if after != "" {
		words = append(words, "--after", quotedForShell(after))
	}
	return strings.Join(words, " ")
}

// quotedForShell returns a word as a shell takes it for one.
func quotedForShell(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:@-/,=+%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
