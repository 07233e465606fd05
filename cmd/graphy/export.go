package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/cmd/graphy/graphfile"
)

// graphState is the answer to GET …/state.
type graphState struct {
	GraphID  string             `json:"graphId"`
	Version  uint64             `json:"version"`
	Nodes    []graphfile.Object `json:"nodes"`
	Edges    []graphfile.Object `json:"edges"`
	Viewport graphfile.Object   `json:"viewport"`
}

// exportFlags are what the export command is told.
type exportFlags struct {
	clientFlags
	format, output string
}

func newExportCommand() *cobra.Command {
	flags := exportFlags{}
	cmd := &cobra.Command{
		Use:   "export --graph ID",
		Short: "Write a drawing (nodes and edges) of a running server to a file",
		Long: `Write the nodes and edges of a graph of a running server to a file, or to standard output. What export writes, import
reads back. A file appears under its name only when it is whole.

(Whole histories are written by graphy log export.) Exit codes: see graphy help exit-codes.`,
		Example: `  graphy export --graph lesmis -o lesmis.graphml
  graphy export --graph lesmis --format cytoscape > lesmis.cyjs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return flags.execute(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&flags.format, "format", "", "node-link, cytoscape, graphml or graphy (default: by the file's ending, else graphy)")
	cmd.Flags().StringVarP(&flags.output, "output", "o", "-", `file to write; "-" is standard output`)
	return cmd
}

func (f *exportFlags) execute(ctx context.Context, stdout, diagnostics io.Writer) error {
	format, err := f.formatOf()
	if err != nil {
		return err
	}
	client, err := f.client(os.Getenv)
	if err != nil {
		return err
	}
	var state graphState
	retries := retrier{patience: 30 * time.Second, wait: waitFor, notify: newProgress(diagnostics, 0).retrying}
	if err := retries.do(ctx, func() error { return client.get(ctx, "/state", &state) }); err != nil {
		return err
	}
	if state.Version == 0 {
		return fmt.Errorf("there is no graph %q", f.graph)
	}
	doc := &graphfile.Document{Nodes: state.Nodes, Edges: state.Edges, Viewport: state.Viewport}
	if format == graphfile.Graphy {
		doc.Attributes = graphfile.Object{"version": jsontext.Value(strconv.FormatUint(state.Version, 10))}
	} else {
		dropStamps(doc)
	}
	if f.output == "-" {
		return graphfile.Write(stdout, format, doc)
	}
	if err := writeWhole(f.output, func(w io.Writer) error { return graphfile.Write(w, format, doc) }); err != nil {
		return err
	}
	fmt.Fprintf(diagnostics, "exported %s at version %d to %s: %v\n", f.graph, state.Version, f.output,
		counts{len(doc.Nodes), len(doc.Edges)})
	return nil
}

// dropStamps leaves the server's own times out of formats of others, which would take them for the user's.
func dropStamps(doc *graphfile.Document) {
	for _, entities := range [][]graphfile.Object{doc.Nodes, doc.Edges} {
		for _, entity := range entities {
			delete(entity, "createdAt")
			delete(entity, "updatedAt")
		}
	}
}

func (f *exportFlags) formatOf() (graphfile.Format, error) {
	if f.format != "" {
		return graphfile.ParseFormat(f.format)
	}
	switch strings.ToLower(filepath.Ext(f.output)) {
	case ".graphml", ".xml":
		return graphfile.GraphML, nil
	case ".cyjs":
		return graphfile.Cytoscape, nil
	}
	return graphfile.Graphy, nil
}

// writeWhole gives a file its new content, all of it or none.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	err = write(file)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	return err
}
