package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"graphy/eventstore"
)

//go:embed lua/base.lua
var baseSource string

//go:embed lua/trim.lua
var trimSource string

var (
	baseScript = rueidis.NewLuaScript(baseSource)
	trimScript = rueidis.NewLuaScript(trimSource)
)

// Base implements eventstore.Maintainer.
func (s *Store) Base(ctx context.Context, stream string) (eventstore.Base, error) {
	fields, err := s.baseFields(ctx, stream, "version", "hash", "data")
	if err != nil || fields == nil {
		return eventstore.Base{}, err
	}
	position, err := basePosition(stream, fields)
	if err == nil && fields[2].IsNil() {
		err = damagedBase(stream, position.Version, "it has no data")
	}
	if err != nil {
		return eventstore.Base{}, err
	}
	data, err := fields[2].AsBytes()
	if err != nil {
		return eventstore.Base{}, damagedBase(stream, position.Version, err.Error())
	}
	return eventstore.Base{Position: position, Data: data}, nil
}

// BasePosition returns where the base of stream stands, without its data.
func (s *Store) BasePosition(ctx context.Context, stream string) (eventstore.Position, error) {
	fields, err := s.baseFields(ctx, stream, "version", "hash")
	if err != nil || fields == nil {
		return eventstore.Position{}, err
	}
	return basePosition(stream, fields)
}

// baseFields returns fields of the stream's base, nil if it has none.
func (s *Store) baseFields(ctx context.Context, stream string, names ...string) (fields []rueidis.RedisMessage, err error) {
	err = s.read(ctx, "read the base of", stream, func() (err error) {
		fields, err = s.client.Do(ctx, s.client.B().Hmget().Key(s.keys.Base(stream)).Field(names...).Build()).ToArray()
		return err
	})
	for i := range fields {
		if !fields[i].IsNil() {
			return fields, err
		}
	}
	return nil, err
}

func basePosition(stream string, fields []rueidis.RedisMessage) (eventstore.Position, error) {
	version, err := fields[0].AsUint64()
	if err != nil || version == 0 {
		return eventstore.Position{}, damagedBase(stream, 1, fmt.Sprintf("its version is no version: %v", err))
	}
	hash, err := fields[1].ToString()
	if err != nil {
		return eventstore.Position{}, damagedBase(stream, eventstore.Version(version), "it has no hash")
	}
	return eventstore.Position{Version: eventstore.Version(version), Hash: eventstore.Hash(hash)}, nil
}

func damagedBase(stream string, version eventstore.Version, reason string) error {
	return &eventstore.ChainError{Stream: stream, Version: version, Reason: "base: " + reason}
}

// SetBase implements eventstore.Maintainer.
func (s *Store) SetBase(ctx context.Context, stream string, base eventstore.Base) error {
	if base.Version == 0 {
		return damagedBase(stream, 0, "it is of version 0")
	}
	kept := false
	err := s.write(ctx, "set the base of", stream, func() (err error) {
		kept, err = baseScript.Exec(ctx, s.client, []string{s.keys.Events(stream), s.keys.Base(stream)},
			[]string{decimal(base.Version), string(base.Hash), rueidis.BinaryString(base.Data)}).AsBool()
		return err
	})
	if err == nil && !kept {
		err = damagedBase(stream, base.Version, "the stream does not hold its event")
	}
	return err
}

// Trim implements eventstore.Maintainer. It is one script call, for all of which Redis serves nobody else: let oldest be
// at most 1000.
func (s *Store) Trim(ctx context.Context, stream string, oldest []eventstore.Event) error {
	if len(oldest) == 0 {
		return nil
	}
	first, last := oldest[0], oldest[len(oldest)-1]
	if err := consecutive(stream, first.Version, oldest); err != nil {
		return err
	}
	args := []string{decimal(first.Version), decimal(last.Version), string(last.Hash)}
	args = appendOperations(args, oldest)
	keys := []string{s.keys.Events(stream), s.keys.Operations(stream), s.keys.Base(stream)}
	var answer []rueidis.RedisMessage
	err := s.write(ctx, "trim", stream, func() (err error) {
		answer, err = trimScript.Exec(ctx, s.client, keys, args).ToArray()
		return err
	})
	if err != nil || len(answer) < 3 {
		return err
	}
	version, _ := answer[1].AsInt64()
	why, _ := answer[2].ToString()
	return &eventstore.ChainError{Stream: stream, Version: eventstore.Version(version), Reason: "not trimmed: " + trimReasons[why]}
}

// trimReasons are the script's, in words about the version that it names.
var trimReasons = map[string]string{
	"oldest": "the oldest event is this one",
	"base":   "the base is of this version",
	"other":  "another event stands here, or none",
	"newest": "this is the newest event",
}

// appendOperations adds to args the number of the events' operations, their ids, and the version of each.
func appendOperations(args []string, events []eventstore.Event) []string {
	count := 0
	for _, event := range events {
		count += len(event.Operations)
	}
	args = append(args, strconv.Itoa(count))
	for _, event := range events {
		args = append(args, event.Operations...)
	}
	for _, event := range events {
		for range event.Operations {
			args = append(args, decimal(event.Version))
		}
	}
	return args
}
