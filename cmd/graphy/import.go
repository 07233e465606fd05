package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"graphy/cmd/graphy/graphfile"
)

// importFlags are what the import command is told beside the file.
type importFlags struct {
	clientFlags
	format        string
	run           string
	batch         int
	createMissing bool
	patience      time.Duration
	wait          func(context.Context, time.Duration) error // waitFor, but for tests
}

func newImportCommand() *cobra.Command {
	flags := importFlags{wait: waitFor}
	cmd := &cobra.Command{
		Use:   "import FILE --graph ID",
		Short: "Bring a drawing (nodes and edges) from a file into a running server",
		Long: `Bring a drawing, nodes and edges, from a file into a running server, through its API. FILE is node-link JSON (d3, vega,
networkx), Cytoscape JSON, GraphML or Graphy's own JSON; "-" is standard input.

An import that was stopped, by whatever, is resumed by the same command: what is in the graph already stays, and
is not created twice. To import a file again after its nodes were deleted from the graph, give another --run.

(Whole histories, as graphy log export writes them, come in by graphy log import.) Exit codes: see graphy help exit-codes.`,
		Example: `  graphy import testdata/graphs/miserables.json --graph lesmis
  graphy import network.graphml --graph net --create-missing
  curl -s https://example.org/graph.json | graphy import - --graph web --format node-link`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SilenceUsage = true
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return flags.execute(ctx, args[0], cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&flags.format, "format", "", "node-link, cytoscape, graphml or graphy (default: seen from the content)")
	cmd.Flags().IntVar(&flags.batch, "batch", 500, "nodes or edges sent at once, 1 to 1000; each batch is one version and one undo step")
	cmd.Flags().BoolVar(&flags.createMissing, "create-missing", false, "create the nodes that edges name and the file lacks")
	cmd.Flags().StringVar(&flags.run, "run", "", "name of this run; another name imports the same file anew")
	cmd.Flags().DurationVar(&flags.patience, "patience", 2*time.Minute, "how long to wait for a server that is away or busy")
	return cmd
}

// execute reads the file, sends it and checks that it has arrived.
func (f *importFlags) execute(ctx context.Context, path string, stdin io.Reader, out, diagnostics io.Writer) error {
	if f.batch < 1 || f.batch > maxOperations {
		return usageError{fmt.Errorf("--batch %d: it is 1 to %d", f.batch, maxOperations)}
	}
	client, err := f.client(os.Getenv)
	if err != nil {
		return err
	}
	doc, digest, err := f.read(path, stdin)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, note := range doc.Notes {
		fmt.Fprintln(diagnostics, "note:", note)
	}
	progress := newProgress(diagnostics, len(doc.Nodes)+len(doc.Edges))
	im := &importer{
		client: client, doc: doc, run: strings.Join([]string{f.graph, digest, f.run}, " "), progress: progress,
		retrier: retrier{patience: f.patience, wait: f.wait, notify: progress.retrying},
	}
	err = im.importAll(ctx, plan(doc, f.batch))
	progress.finish()
	if err != nil {
		return im.explain(ctx, err)
	}
	fmt.Fprintf(out, "imported %s into %s: %s\n", filepath.Base(path), f.graph, im.summary())
	return im.check(diagnostics)
}

// read returns the document and the digest of the content that it was made of.
func (f *importFlags) read(path string, stdin io.Reader) (*graphfile.Document, string, error) {
	opts := graphfile.Options{CreateMissing: f.createMissing}
	if f.format != "" {
		format, err := graphfile.ParseFormat(f.format)
		if err != nil {
			return nil, "", err
		}
		opts.Format = format
	}
	input := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, "", errors.Unwrap(err) // the caller names the path
		}
		defer file.Close()
		input = file
	}
	hash := sha256.New()
	doc, err := graphfile.Read(io.TeeReader(input, hash), opts)
	return doc, hex.EncodeToString(hash.Sum(nil)), err
}
