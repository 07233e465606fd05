package transport

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"graphy/projection"
)

// adminConflicts lists the conflicts of a graph, or of all of them, by graph.
func (s *Server) adminConflicts(a *act) error {
	graph, status := a.q.cursor("graph"), a.q.choice("status", "open", "resolved")
	cursor, limit := a.q.cursor("cursor"), a.q.count("limit", defaultGraphs, maxGraphs)
	if graph != "" && cursor != "" {
		a.q.fail("query parameters \"graph\" and \"cursor\" do not go together")
	}
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	names := []string{graph}
	if graph == "" {
		if names, err = s.services.Log.Streams(ctx, cursor, limit); err != nil {
			return err
		}
	}
	records, err := s.conflictsOf(ctx, names, status)
	if err != nil {
		return err
	}
	buffer := borrow()
	defer giveBack(buffer)
	body := appendArray(append(buffer.bytes, `{"conflicts":`...), records)
	if graph == "" && len(names) == limit {
		body = appendText(body, "cursor", names[limit-1])
	}
	buffer.bytes = append(body, '}')
	return writeCompressible(a.context, buffer.bytes)
}

// conflictsOf returns the records of conflicts, each with the graph that it is of.
func (s *Server) conflictsOf(ctx context.Context, names []string, status string) ([]jsontext.Value, error) {
	found := make([][]jsontext.Value, len(names))
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(standingReaders)
	for i, name := range names {
		readers.Go(func() error {
			records, err := s.services.Models.Conflicts(ctx, name)
			if err != nil && isAway(err) {
				return err
			}
			for _, record := range records { // of a graph whose records are damaged there are none
				if len(record) > 2 && (status == "" || projection.Text(projection.Member(record, "status")) == status) {
					of := appendString([]byte(`{"graphId":`), name)
					found[i] = append(found[i], append(append(of, ','), record[1:]...))
				}
			}
			return nil
		})
	}
	err := readers.Wait()
	all := []jsontext.Value{}
	for _, records := range found {
		all = append(all, records...)
	}
	return all, err
}
