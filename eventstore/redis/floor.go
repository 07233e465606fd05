package redis

import (
	"context"
	_ "embed"
	"errors"
	"strconv"

	"github.com/redis/rueidis"

	"graphy/eventstore"
)

//go:embed lua/floor.lua
var floorSource string

var floorScript = rueidis.NewLuaScript(floorSource)

// floorField is the first field, in the place of event, of an entry that is none: it stands for all that was before, in a
// stream that has a base and no event, or had none when it began.
const floorField = "base"

// isFloor tells whether an entry is such a one. It may be the first of a stream, no other.
func isFloor(entry eventstore.Event) bool { return entry.Data == nil }

// errReaches says that a stream does begin at or before a version.
var errReaches = errors.New("the stream reaches back")

// missed says why version is not in a stream that has later ones: a *eventstore.TrimmedError where the base stands for
// it, a *eventstore.ChainError where nothing does. Of a stream that begins at or before version it is errReaches, of an
// empty one nil.
func (s *Store) missed(ctx context.Context, stream string, version eventstore.Version) error {
	var answer []rueidis.RedisMessage
	err := s.read(ctx, "look at the beginning of", stream, func() (err error) {
		answer, err = floorScript.Exec(ctx, s.client, []string{s.keys.Events(stream), s.keys.Base(stream)}, nil).ToArray()
		return err
	})
	if err != nil || len(answer) < 2 {
		return err
	}
	text, _ := answer[0].ToString()
	reaches, _ := strconv.ParseUint(text, 10, 64) // what is no number reaches nothing
	first, err := decodeEntry(stream, &answer[1])
	if err != nil {
		return err
	}
	if isFloor(first) {
		first.Version++
	}
	switch {
	case first.Version <= version:
		return errReaches
	case eventstore.Version(reaches)+1 < first.Version:
		return missing(stream, version, first.Version)
	}
	return &eventstore.TrimmedError{Stream: stream, First: first.Version}
}

// below checks that entries, read from version first on, do not begin above it. If they do, its error says why: see
// missed.
func (s *Store) below(ctx context.Context, stream string, first eventstore.Version, entries []eventstore.Event) error {
	if len(entries) == 0 || entries[0].Version <= first && !isFloor(entries[0]) {
		return nil
	}
	if isFloor(entries[0]) {
		return &eventstore.TrimmedError{Stream: stream, First: entries[0].Version + 1}
	}
	return s.missed(ctx, stream, first)
}
