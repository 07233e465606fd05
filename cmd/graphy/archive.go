package main

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/transport"
)

func (c *cli) archiveCommand() *cobra.Command {
	return group("archive", "See what the archive holds of a graph",
		"The archive (GRAPHY_ARCHIVE: a folder or an S3-compatible store) holds the events that graphy retain has trimmed.", c.archiveListCommand())
}

func (c *cli) archiveListCommand() *cobra.Command {
	flags := &operatorFlags{}
	cmd := &cobra.Command{
		Use:               "list GRAPH",
		ValidArgsFunction: c.graphNames(flags, 1),
		Short:             "List the segments that the archive holds of a graph",
		Long: `List the segments of a graph in the archive: the versions that each holds, the hash of its last event, its size. An id
that was deleted and begun anew has segments of several histories; hashes tell them apart.
Exit codes: see graphy help exit-codes.`,
		Example: "  graphy archive list demo\n" +
			"  graphy archive list demo --output json | jq -s 'map(.bytes) | add'",
		Args:    wants("GRAPH"),
		PreRunE: func(_ *cobra.Command, args []string) error { return firstOf(flags.check(), checkGraphs(args)) },
		RunE: c.operate(flags, func(ctx context.Context, a *act, args []string) error {
			var answer struct {
				Segments []jsontext.Value `json:"segments"`
			}
			if err := a.do(ctx, call{method: http.MethodGet, path: "/graphs/" + escaped(args[0]) + "/archive"}, &answer); err != nil {
				return err
			}
			segments := make([]transport.ArchiveSegment, len(answer.Segments))
			for i, raw := range answer.Segments {
				if a.out.json {
					if err := a.out.object(raw); err != nil {
						return err
					}
				} else if err := json.Unmarshal(raw, &segments[i]); err != nil {
					return a.misunderstood(err)
				}
			}
			if a.out.json {
				return nil
			}
			return a.out.print(segmentTable(segments), "the archive holds nothing of "+args[0])
		}),
	}
	flags.register(cmd)
	return cmd
}

func segmentTable(segments []transport.ArchiveSegment) *table {
	t := newTable("FROM", "TO", "EVENTS", "SIZE", "HASH")
	for _, s := range segments {
		t.add(s.From.Version+1, s.To.Version, s.To.Version-s.From.Version, size(s.Bytes), s.To.Hash)
	}
	return t
}
