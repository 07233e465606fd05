package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"graphy/eventstore/archive"
)

func (c *cli) logExportCommand() *cobra.Command {
	flags, selected := &operatorFlags{}, &selection{}
	file := ""
	cmd := &cobra.Command{
		Use:               "export [GRAPH…|--all] --file FILE",
		ValidArgsFunction: c.graphNames(flags, 0),
		Short:             "Write whole histories of graphs into an archive file",
		Long: `Write the logs of graphs, with all their history, into one archive file: JSON Lines, compressed with zstd, with a manifest
of versions and hashes at its end. It is verified while it comes, event by event, and appears under its name only when it
is whole. graphy log import brings it into another Graphy. (graphy export writes a drawing instead: the nodes and edges as
they are now, in the formats of other programs.)

Exit codes: see graphy help exit-codes.`,
		Example: "  graphy log export --all --file backup.graphy.zst --server http://127.0.0.1:3001\n" +
			"  graphy log export demo --file - | ssh backup 'cat > demo.graphy.zst'",
		PreRunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case file == "":
				return errors.New("--file is missing: name the file to write, or - for standard output")
			case file == "-" && c.terminal(cmd.OutOrStdout()):
				return errors.New("--file - would write an archive to the terminal: redirect standard output, or name a file")
			}
			return firstOf(flags.check(), selected.check(args))
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			query := url.Values{"graph": args}
			if selected.all {
				query = url.Values{"all": {"true"}}
			}
			var manifest archive.Manifest
			fetch := func(w io.Writer) (err error) {
				manifest, err = a.fetchArchive(ctx, query, w)
				return err
			}
			if file == "-" {
				return fetch(a.out.out) // which is no place for a report then
			}
			if err := writeWhole(file, fetch); err != nil {
				return err
			}
			return a.showManifest(manifest, file)
		}),
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&selected.all, "all", false, "all graphs")
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file to write; - is standard output (required)")
	_ = cmd.MarkFlagFilename("file")
	return cmd
}

// fetchArchive writes an archive of graphs to w, and verifies it on the way.
func (a *act) fetchArchive(ctx context.Context, query url.Values, w io.Writer) (archive.Manifest, error) {
	response, err := a.send(ctx, call{method: http.MethodGet, path: "/export", query: query}, "application/zstd")
	if err != nil {
		return archive.Manifest{}, err
	}
	defer response.Body.Close()
	m := a.meter("export", "graphs")
	defer m.clear()
	written := &failingWriter{to: w}
	came := io.TeeReader(response.Body, written)
	manifest, err := readArchive(ctx, came, func(graphs, events int64) {
		m.show(graphs, 0, plural(events, "event", "events"))
	})
	if err == nil {
		_, err = io.Copy(io.Discard, came)
	}
	switch {
	case ctx.Err() != nil:
		return manifest, &exitError{exitInterrupted, fmt.Errorf("%w after %s; nothing was kept, the same command begins anew",
			errInterrupted, plural(len(manifest.Graphs), "graph", "graphs"))}
	case written.failed != nil:
		return manifest, written.failed
	case err != nil:
		return manifest, fmt.Errorf("the archive that %s gives is not whole: %w", a.where, err)
	}
	return manifest, nil
}

// readArchive reads an archive to its end and verifies it, and tells how much of it there was so far.
func readArchive(ctx context.Context, r io.Reader, tell func(graphs, events int64)) (archive.Manifest, error) {
	reader, err := archive.NewReader(r)
	if err != nil {
		return archive.Manifest{}, err
	}
	defer reader.Close()
	var graphs, events int64
	for ; ; graphs++ {
		_, _, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return reader.Manifest(), nil
		}
		for err == nil {
			page, failed := reader.Read(0)
			if events += int64(len(page)); failed != nil {
				err = failed
				break
			}
			tell(graphs, events)
			err = ctx.Err()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return reader.Manifest(), err
		}
	}
}

// failingWriter remembers why nothing more can be written.
type failingWriter struct {
	to     io.Writer
	failed error
}

func (w *failingWriter) Write(content []byte) (n int, err error) {
	n, err = w.to.Write(content)
	w.failed = cmp.Or(w.failed, err)
	return n, err
}

func (a *act) showManifest(manifest archive.Manifest, file string) error {
	if a.out.json {
		for _, entry := range manifest.Graphs {
			if err := a.out.value(entry); err != nil {
				return err
			}
		}
		return nil
	}
	t, events := newTable("GRAPH", "FROM", "TO", "EVENTS", "HASH"), int64(0)
	for _, entry := range manifest.Graphs {
		t.add(entry.GraphID, entry.From.Version+1, entry.To.Version, entry.Events, entry.To.Hash)
		events += entry.Events
	}
	if err := a.out.print(t, "there are no graphs"); err != nil {
		return err
	}
	bytes := int64(0)
	if info, err := os.Stat(file); err == nil {
		bytes = info.Size()
	}
	a.out.linef("%s: %s, %s, %s", file, plural(len(manifest.Graphs), "graph", "graphs"), plural(events, "event", "events"), size(bytes))
	return nil
}
