package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore"
)

//go:embed lua/append.lua
var appendSource string

var appendScript = rueidis.NewLuaScript(appendSource)

// What the append script answers first.
const (
	answerConflict int64 = iota
	answerApplied
	answerDuplicate
	answerBroken
)

// AnyHash, as the hash of an expected position, leaves the head unread: the stream has to have that many entries. It is
// for a caller who lets nobody else write and knows the head, over a Redis to which looking at the head costs more the
// longer the stream is.
func AnyHash(entries int) eventstore.Hash { return eventstore.Hash("*" + strconv.Itoa(entries)) }

// Append implements eventstore.Log. Besides ErrUnavailable and ErrUnknown it fails with a *eventstore.ChainError
// where the stream cannot be written to because it is not what was appended.
func (s *Store) Append(ctx context.Context, stream string, expected eventstore.Position,
	events []eventstore.Event) (eventstore.AppendResult, error) {
	if len(events) == 0 {
		return eventstore.AppendResult{}, fmt.Errorf("append to %q: no events", stream)
	}
	if err := s.mark(ctx, stream, expected.Version == 0); err != nil {
		return eventstore.AppendResult{}, err
	}
	keys := []string{s.keys.Events(stream), s.keys.Operations(stream)}
	args := s.appendArgs(stream, expected, events)
	var answer []int64
	unsure, err := s.retry(ctx, func() (err error) {
		answer, err = appendScript.Exec(ctx, s.client, keys, args).AsIntSlice()
		return err
	})
	if err != nil {
		return eventstore.AppendResult{}, outcome(unsure, "append to", stream, err)
	}
	result, err := s.appendResult(ctx, stream, expected, events, answer)
	if unsure && errors.Is(err, eventstore.ErrTrimmed) {
		err = fmt.Errorf("append to %q: %w: %w", stream, eventstore.ErrUnknown, err)
	}
	if err == nil && result.Outcome == eventstore.Applied {
		s.feeds.appended(s.keys.EventsChannel(stream), events)
		s.notify.appended(stream, events)
	}
	return result, err
}

// appendArgs lays the arguments out as append.lua wants them. They alias the events' data.
func (s *Store) appendArgs(stream string, expected eventstore.Position, events []eventstore.Event) []string {
	operations := 0
	for _, event := range events {
		operations += len(event.Operations)
	}
	channel, bell := "", ""
	if !s.notify.listening() {
		channel = s.keys.AppendsChannel()
		bell = doorbell{s.sender, expected.Version + eventstore.Version(len(events)), stream}.String()
	}
	args := make([]string, 0, 8+2*len(events)+2*operations)
	args = append(args, decimal(expected.Version), string(expected.Hash), strconv.Itoa(len(events)), strconv.Itoa(operations),
		s.feeds.publish(), s.keys.EventsChannel(stream), channel, bell)
	for _, event := range events {
		args = append(args, rueidis.BinaryString(event.Data), string(event.Hash))
	}
	for _, event := range events {
		args = append(args, event.Operations...)
	}
	for i, event := range events {
		for range event.Operations {
			args = append(args, decimal(expected.Version+eventstore.Version(i+1)))
		}
	}
	return args
}

func (s *Store) appendResult(ctx context.Context, stream string, expected eventstore.Position,
	events []eventstore.Event, answer []int64) (eventstore.AppendResult, error) {
	if len(answer) < 2 {
		return eventstore.AppendResult{}, fmt.Errorf("append to %q: %w: answer %v", stream, eventstore.ErrUnknown, answer)
	}
	result := eventstore.AppendResult{Head: eventstore.Version(answer[1])}
	switch answer[0] {
	case answerApplied:
		return result, nil
	case answerDuplicate:
		result.Outcome = eventstore.Duplicate
		result.Done = done(events, answer[2:])
		return result, nil
	case answerBroken:
		return eventstore.AppendResult{}, &eventstore.ChainError{Stream: stream, Version: result.Head,
			Reason: "the stream has held this version before and has lost it"}
	}
	if result.Head <= expected.Version {
		s.opts.Logger.Warn("stream is not what was appended to: it was deleted, or has lost its end",
			zap.String("graphId", stream), zap.Uint64("version", uint64(result.Head)), zap.Uint64("expected", uint64(expected.Version)))
	}
	ours, err := s.holds(ctx, stream, expected.Version, events, result.Head)
	if errors.Is(err, eventstore.ErrTrimmed) {
		return eventstore.AppendResult{}, err
	}
	if err != nil {
		return eventstore.AppendResult{}, fmt.Errorf("append to %q: %w: %w", stream, eventstore.ErrUnknown, err)
	}
	if !ours {
		result.Outcome = eventstore.Conflict
	}
	return result, nil
}

// holds tells whether the stream, which is at head, has the very events after version expected: then they were
// appended before, by this call or by one like it.
func (s *Store) holds(ctx context.Context, stream string, expected eventstore.Version, events []eventstore.Event,
	head eventstore.Version) (bool, error) {
	if head < expected+eventstore.Version(len(events)) {
		return false, nil
	}
	// A hash stands for all history before it: the last one decides.
	last, err := s.Read(ctx, stream, expected+eventstore.Version(len(events))-1, 1)
	if err != nil {
		return false, err
	}
	return len(last) == 1 && last[0].Hash == events[len(events)-1].Hash, nil
}

// done pairs the events' operations with the versions that the script gave for them, and leaves out the unknown.
func done(events []eventstore.Event, versions []int64) map[string]eventstore.Version {
	known := map[string]eventstore.Version{}
	i := 0
	for _, event := range events {
		for _, id := range event.Operations {
			if i < len(versions) && versions[i] > 0 {
				known[id] = eventstore.Version(versions[i])
			}
			i++
		}
	}
	return known
}

func decimal(version eventstore.Version) string { return strconv.FormatUint(uint64(version), 10) }
