package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"graphy/eventstore"
)

// Read implements eventstore.Log. It costs one XRANGE, whatever the length of the stream; a look at the beginning of the
// stream more where that does not begin as it should. It checks that versions follow each other, and leaves the hashes to the caller.
func (s *Store) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if limit <= 0 {
		return nil, nil
	}
	events, err := s.forward(ctx, stream, after+1, limit)
	below := s.below(ctx, stream, after+1, events)
	if errors.Is(below, errReaches) { // a hole, unless what was trimmed has come back meanwhile
		events, err = s.forward(ctx, stream, after+1, limit)
		below = nil
	}
	if err = cmp.Or(below, err); err == nil {
		err = consecutive(stream, after+1, events)
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

// forward reads up to limit entries from version first on, as they are.
func (s *Store) forward(ctx context.Context, stream string, first eventstore.Version, limit int) ([]eventstore.Event, error) {
	return s.entries(ctx, stream, func() rueidis.Completed {
		return s.client.B().Xrange().Key(s.keys.Events(stream)).Start(entryID(first)).End("+").Count(int64(limit)).Build()
	})
}

// ReadBackward implements eventstore.Log.
func (s *Store) ReadBackward(ctx context.Context, stream string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	if limit <= 0 || before == 1 {
		return nil, nil
	}
	from := "+"
	if before > 1 {
		from = entryID(before - 1)
	}
	events, err := s.entries(ctx, stream, func() rueidis.Completed {
		return s.client.B().Xrevrange().Key(s.keys.Events(stream)).End(from).Start("-").Count(int64(limit)).Build()
	})
	if last := len(events) - 1; err == nil && last >= 0 && isFloor(events[last]) {
		if events = events[:last]; last == 0 {
			err = s.missed(ctx, stream, 1)
		}
	} else if err == nil && last < 0 && before > 1 {
		err = s.missed(ctx, stream, before-1)
	}
	if errors.Is(err, errReaches) { // what was trimmed has come back meanwhile
		return s.ReadBackward(ctx, stream, before, limit)
	}
	for i := 1; err == nil && i < len(events); i++ {
		if events[i].Version+1 != events[i-1].Version {
			err = missing(stream, events[i-1].Version-1, events[i].Version)
		}
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

// Head implements eventstore.Log.
func (s *Store) Head(ctx context.Context, stream string) (eventstore.Position, error) {
	last, err := s.entries(ctx, stream, func() rueidis.Completed {
		return s.client.B().Xrevrange().Key(s.keys.Events(stream)).End("+").Start("-").Count(1).Build()
	})
	if err != nil || len(last) == 0 {
		return eventstore.Position{}, err
	}
	return last[0].Position(), nil
}

// Operations implements eventstore.Log.
func (s *Store) Operations(ctx context.Context, stream string, ids ...string) ([]eventstore.Version, error) {
	versions := make([]eventstore.Version, len(ids))
	if len(ids) == 0 {
		return versions, nil
	}
	var values []rueidis.RedisMessage
	err := s.read(ctx, "look up operations of", stream, func() (err error) {
		values, err = s.client.Do(ctx, s.client.B().Hmget().Key(s.keys.Operations(stream)).Field(ids...).Build()).ToArray()
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range min(len(ids), len(values)) {
		version, err := values[i].AsUint64()
		if err != nil && !rueidis.IsRedisNil(err) {
			return nil, &eventstore.ChainError{Stream: stream, Version: 1, Reason: fmt.Sprintf("index of operations: %q: %v", ids[i], err)}
		}
		versions[i] = eventstore.Version(version)
	}
	return versions, nil
}

// entries runs the XRANGE or XREVRANGE that command builds (sending uses a command up). With a *ChainError come the
// events before the foreign entry.
func (s *Store) entries(ctx context.Context, stream string, command func() rueidis.Completed) ([]eventstore.Event, error) {
	var entries []rueidis.RedisMessage
	err := s.read(ctx, "read", stream, func() (err error) {
		entries, err = s.client.Do(ctx, command()).ToArray()
		return err
	})
	if err != nil {
		return nil, err
	}
	events := make([]eventstore.Event, len(entries))
	for i := range entries {
		if events[i], err = decodeEntry(stream, &entries[i]); err != nil {
			return events[:i], err
		}
	}
	return events, nil
}

var errFields = errors.New(`its fields are not "event" and "hash"`)

// decodeEntry returns the event of one entry of a stream, which it does not copy.
func decodeEntry(stream string, entry *rueidis.RedisMessage) (eventstore.Event, error) {
	parts, err := entry.ToArray()
	if err != nil || len(parts) != 2 {
		return eventstore.Event{}, &eventstore.ChainError{Stream: stream, Reason: "entry without id or fields"}
	}
	id, err := parts[0].ToString()
	if err != nil {
		return eventstore.Event{}, &eventstore.ChainError{Stream: stream, Reason: "entry without id"}
	}
	version, err := parseEntryID(id)
	var event eventstore.Event
	if err == nil {
		event, err = decodeFields(parts[1])
	}
	if err != nil {
		return eventstore.Event{}, &eventstore.ChainError{Stream: stream, Version: version,
			Reason: fmt.Sprintf("foreign entry %.64q: %v", id, err)}
	}
	event.Version = version
	return event, nil
}

func decodeFields(message rueidis.RedisMessage) (event eventstore.Event, err error) {
	fields, err := message.ToArray()
	if err != nil || len(fields) != 4 {
		return event, errFields
	}
	kind, err := fields[0].ToString()
	if name, failure := fields[2].ToString(); err != nil || failure != nil || name != "hash" || kind != "event" && kind != floorField {
		return event, errFields
	}
	if event.Data, err = fields[1].AsBytes(); err != nil {
		return event, errFields
	}
	if kind == floorField {
		event.Data = nil
	} else if event.Data == nil {
		event.Data = []byte{}
	}
	hash, err := fields[3].ToString()
	event.Hash = eventstore.Hash(hash)
	return event, err
}

// consecutive checks that events have the versions first, first+1 and so on.
func consecutive(stream string, first eventstore.Version, events []eventstore.Event) error {
	for i, event := range events {
		if want := first + eventstore.Version(i); event.Version != want || isFloor(event) {
			return missing(stream, want, event.Version)
		}
	}
	return nil
}

func missing(stream string, version, found eventstore.Version) error {
	return &eventstore.ChainError{Stream: stream, Version: version,
		Reason: fmt.Sprintf("version is missing, found %d in its place", found)}
}

func entryID(version eventstore.Version) string { return decimal(version) + "-0" }

// parseEntryID returns the version of an entry id, as far as it has one.
func parseEntryID(id string) (eventstore.Version, error) {
	digits, sequence, _ := strings.Cut(id, "-")
	version, err := strconv.ParseUint(digits, 10, 64)
	if err == nil && (sequence != "0" || version == 0) {
		err = errors.New(`its id is not "<version>-0"`)
	}
	return eventstore.Version(version), err
}
