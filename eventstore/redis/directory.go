package redis

import (
	"context"
	_ "embed"
	"slices"

	"github.com/redis/rueidis"
)

//go:embed lua/delete.lua
var deleteSource string

var deleteScript = rueidis.NewLuaScript(deleteSource)

// Streams implements eventstore.Log.
func (s *Store) Streams(ctx context.Context, cursor string, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	from := "-"
	if cursor != "" {
		from = "(" + cursor
	}
	var names []string
	err := s.read(ctx, "list streams after", cursor, func() error {
		names = names[:0]
		commands := make(rueidis.Commands, GraphsShards)
		for shard := range commands {
			commands[shard] = s.client.B().Zrangebylex().Key(s.keys.Graphs(shard)).Min(from).Max("+").Limit(0, int64(limit)).Build()
		}
		for _, result := range s.client.DoMulti(ctx, commands...) {
			page, err := result.AsStrSlice()
			if err != nil {
				return err
			}
			names = append(names, page...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names[:min(limit, len(names))], nil
}

// Delete implements eventstore.Log.
func (s *Store) Delete(ctx context.Context, stream string) error {
	keys := []string{s.keys.Events(stream), s.keys.Operations(stream), s.keys.Base(stream), s.keys.Rewrites(stream)}
	channel := s.keys.EventsChannel(stream)
	s.marks.forget(stream)
	err := s.write(ctx, "delete", stream, func() error {
		tokens, err := s.client.Do(ctx, s.client.B().Smembers().Key(s.keys.Rewrites(stream)).Build()).AsStrSlice()
		if err != nil && classify(err) != permanent {
			return err
		}
		all := keys
		for _, token := range tokens {
			for _, part := range []string{"events", "operations", "base", "done"} {
				all = append(all, s.keys.Rewrite(stream, token, part))
			}
		}
		return deleteScript.Exec(ctx, s.client, all, []string{s.feeds.publish(), channel}).Error()
	})
	if err != nil {
		return err
	}
	// The directory comes last, so that a deletion cut short leaves a name without a stream, never the reverse; and
	// a stream that was begun anew meanwhile gets its name back.
	var exists bool
	err = s.write(ctx, "take off the directory", stream, func() (err error) {
		results := s.client.DoMulti(ctx,
			s.client.B().Zrem().Key(s.keys.GraphsOf(stream)).Member(stream).Build(),
			s.client.B().Zrem().Key(s.keys.GraphsActive()).Member(stream).Build())
		for _, result := range results {
			if err := result.Error(); err != nil {
				return err
			}
		}
		exists, err = s.client.Do(ctx, s.client.B().Exists().Key(keys[0]).Build()).AsBool()
		return err
	})
	if err == nil && exists {
		err = s.mark(ctx, stream, true)
	}
	return err
}
