package redis

import (
	"context"
	_ "embed"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"graphy/eventstore"
)

//go:embed lua/reindex.lua
var reindexSource string

var reindexScript = rueidis.NewLuaScript(reindexSource)

const (
	indexPage   = 1000 // operations that Index reads at once
	reindexPage = 500  // events, or operations, that Reindex writes at once
)

// Indexed implements eventstore.Maintainer.
func (s *Store) Indexed(ctx context.Context, stream string) (count int64, err error) {
	err = s.read(ctx, "count operations of", stream, func() (err error) {
		count, err = s.client.Do(ctx, s.client.B().Hlen().Key(s.keys.Operations(stream)).Build()).AsInt64()
		return err
	})
	return count, err
}

// Index implements eventstore.Maintainer. An operation may be yielded twice.
func (s *Store) Index(ctx context.Context, stream string) iter.Seq2[map[string]eventstore.Version, error] {
	return func(yield func(map[string]eventstore.Version, error) bool) {
		for cursor, begun := uint64(0), false; cursor > 0 || !begun; begun = true {
			page, next, err := s.indexFrom(ctx, stream, cursor)
			if (len(page) > 0 || err != nil) && !yield(page, err) || err != nil {
				return
			}
			cursor = next
		}
	}
}

func (s *Store) indexFrom(ctx context.Context, stream string, cursor uint64) (map[string]eventstore.Version, uint64, error) {
	var entry rueidis.ScanEntry
	err := s.read(ctx, "read the index of", stream, func() (err error) {
		entry, err = s.client.Do(ctx, s.client.B().Hscan().Key(s.keys.Operations(stream)).Cursor(cursor).Count(indexPage).Build()).AsScanEntry()
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	page := make(map[string]eventstore.Version, len(entry.Elements)/2)
	for pair := range slices.Chunk(entry.Elements, 2) {
		if len(pair) < 2 {
			break
		}
		version, err := strconv.ParseUint(pair[1], 10, 64)
		if err != nil {
			return nil, 0, &eventstore.ChainError{Stream: stream, Version: 1, Reason: fmt.Sprintf("index of operations: %q: %v", pair[0], err)}
		}
		page[pair[0]] = eventstore.Version(version)
	}
	return page, entry.Cursor, nil
}

// Reindex implements eventstore.Maintainer.
func (s *Store) Reindex(ctx context.Context, stream string, add []eventstore.Event, remove map[string]eventstore.Version) error {
	gone := make([][2]string, 0, len(remove))
	for id, version := range remove {
		gone = append(gone, [2]string{id, decimal(version)})
	}
	for len(add) > 0 || len(gone) > 0 {
		n, m := min(len(add), reindexPage), min(len(gone), reindexPage)
		if err := s.reindex(ctx, stream, add[:n], gone[:m]); err != nil {
			return err
		}
		add, gone = add[n:], gone[m:]
	}
	return nil
}

func (s *Store) reindex(ctx context.Context, stream string, add []eventstore.Event, remove [][2]string) error {
	args := []string{strconv.Itoa(len(remove))}
	for _, pair := range remove {
		args = append(args, pair[0], pair[1])
	}
	for _, event := range add {
		args = append(args, decimal(event.Version), string(event.Hash), strconv.Itoa(len(event.Operations)))
		args = append(args, event.Operations...)
	}
	return s.write(ctx, "repair the index of", stream, func() error {
		return reindexScript.Exec(ctx, s.client, []string{s.keys.Events(stream), s.keys.Operations(stream)}, args).Error()
	})
}
