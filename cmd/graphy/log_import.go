package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"graphy/eventstore/archive"
	"graphy/projection/upkeep"
)

func (c *cli) logImportCommand() *cobra.Command {
	flags, allowed := &operatorFlags{newFolder: true}, &consent{}
	dryRun, replace := false, false
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Bring whole histories of graphs in from an archive file",
		Long: `Bring the graphs of an archive file, as graphy log export writes it, into Graphy: byte for byte, with all their history,
each in one step when all of it is verified. A graph that is not there is imported; one that has a part of the same
history is extended; one that has all of it is left as it is. A graph with another history, or that has come further, is
refused, unless --replace is given (which asks first; --yes answers). (graphy import brings in a drawing instead, by
commands.)

A FILE that is no whole archive is refused before anything is done; "-" is standard input, which cannot be checked before.
An import that was stopped, by whatever, is finished by the same command.

Outcomes: imported, extended, unchanged, replaced, refused. Exit codes: 0 done; 1 some graphs were refused; 4 all were;
see graphy help exit-codes.`,
		Example: "  graphy log import backup.graphy.zst --dry-run\n" +
			"  GRAPHY_REDIS_URL=redis://127.0.0.1:6379 graphy log import backup.graphy.zst",
		Args: wants("FILE"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			err := flags.check()
			switch {
			case err != nil || !replace || dryRun:
				return err
			case args[0] == "-" && !allowed.yes:
				return errors.New("--replace takes something away, and standard input is the file, so there is nobody to ask: give --yes if it is meant")
			}
			return allowed.check(c, cmd)
		},
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			content, graphs, err := a.openArchive(ctx, args[0])
			if err != nil {
				return err
			}
			defer content.Close()
			if replace && !dryRun {
				if err := allowed.ask(a, "replace what has another history, or has come further, in %s", a.where); err != nil {
					return err
				}
			}
			query := url.Values{}
			for name, set := range map[string]bool{"dryRun": dryRun, "replace": replace} {
				if set {
					query.Set(name, "true")
				}
			}
			return importing(graphs).run(ctx, a, call{method: http.MethodPost, path: "/import", query: query,
				content: io.NopCloser(content), contentType: "application/zstd"}, args)
		}),
	}
	flags.register(cmd)
	allowed.register(cmd)
	cmd.Flags().BoolVar(&replace, "replace", false, "also graphs that have another history, or have come further")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "verify the file and say what would be done, and change nothing")
	return cmd
}

// openArchive opens a file, after it was read once to its end to see that it is whole, and returns how many graphs it
// holds; 0 if that cannot be known before.
func (a *act) openArchive(ctx context.Context, path string) (io.ReadCloser, int, error) {
	if path == "-" {
		return io.NopCloser(a.in), 0, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, usageError{err}
	}
	manifest, err := a.checkArchive(ctx, file)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	switch {
	case err == nil:
		return file, len(manifest.Graphs), nil
	case ctx.Err() != nil:
		err = ctx.Err()
	default:
		err = fmt.Errorf("%s: %w; nothing was imported", path, err)
	}
	_ = file.Close() // it was only read
	return nil, 0, err
}

func (a *act) checkArchive(ctx context.Context, file *os.File) (archive.Manifest, error) {
	info, err := file.Stat()
	if err != nil {
		return archive.Manifest{}, err
	}
	if !info.Mode().IsRegular() {
		return archive.Manifest{}, errors.New("it is no regular file; use - for what comes from a pipe")
	}
	m := a.meter("check", "bytes")
	defer m.clear()
	return readArchive(ctx, file, func(int64, int64) {
		if read, err := file.Seek(0, io.SeekCurrent); err == nil {
			m.show(read, info.Size(), "")
		}
	})
}

func importing(graphs int) *each[upkeep.Imported] {
	return &each[upkeep.Imported]{
		what: "import", total: graphs,
		head: []string{"GRAPH", "OUTCOME", "VERSION", "EVENTS", "CAUSE"},
		row: func(r upkeep.Imported) []any {
			return []any{r.GraphID, dryWord(r.Outcome, r.DryRun), r.Version, r.Events, r.Cause}
		},
		outcome: func(r upkeep.Imported) string { return dryWord(r.Outcome, r.DryRun) },
		wrong:   func(r upkeep.Imported) bool { return r.Outcome == "refused" },
		refused: func(r upkeep.Imported) bool { return r.Outcome == "refused" },
	}
}
