package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Base is what a stream begins with whose oldest events were trimmed: the state that they had led to. Together with
// the events after it it is the whole truth about a graph. Its data are opaque to the log.
type Base struct {
	Position
	Data []byte
}

// ErrTrimmed matches the error of a read of events that were trimmed; it is a *TrimmedError.
var ErrTrimmed = errors.New("eventstore: events were trimmed")

// TrimmedError is an ErrTrimmed that knows what is left.
type TrimmedError struct {
	Stream string
	First  Version // the oldest event that is kept
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("%v: stream %q begins with version %d", ErrTrimmed, e.Stream, e.First)
}

func (e *TrimmedError) Unwrap() error { return ErrTrimmed }

// Maintainer does to streams what operators need and no command does. Errors are those of a Log. Every call may be
// made again after it failed, with the same arguments. Implementations are safe for concurrent use beside appends, and
// pass eventstoretest.RunMaintainer.
type Maintainer interface {
	// Base returns what stream begins with, the zero Base if none was set.
	Base(ctx context.Context, stream string) (Base, error)

	// SetBase keeps base in the place of an older one; a newer one stays. The stream has to hold the event of its version,
	// with its hash, or to have that base already (whose data are replaced); else it fails with ErrBroken and keeps nothing.
	// Events at and before it stay until Trim.
	SetBase(ctx context.Context, stream string, base Base) error

	// Trim drops the oldest events of stream, with their Operations in the index: all or none, in one step that is short
	// if they are few (a thousand take about a millisecond). They have to be the oldest, in order, none above the base and
	// none the newest, else it fails with ErrBroken; events that were dropped before are passed over.
	Trim(ctx context.Context, stream string, oldest []Event) error

	// Rewrite begins new content for stream, beside what is there, which goes on serving until Commit. The content begins
	// with base, or with version 1 if base is zero. What is abandoned goes away by itself within hours.
	Rewrite(ctx context.Context, stream string, base Base) (Rewriting, error)

	// Indexed returns how many operations the stream's index holds.
	Indexed(ctx context.Context, stream string) (int64, error)

	// Index yields the stream's index of operations in pages, in no order; an operation that is added meanwhile may be
	// missing. It ends with the first error.
	Index(ctx context.Context, stream string) iter.Seq2[map[string]Version, error]

	// Reindex repairs the index: it adds the Operations of events that the stream holds, and removes those that have
	// this very version.
	Reindex(ctx context.Context, stream string, add []Event, remove map[string]Version) error
}

// Rewriting is new content for a stream in the making. It is for one goroutine.
type Rewriting interface {
	// Write adds events, oldest first, that follow what was written before, with their Operations for the index.
	Write(ctx context.Context, events []Event) error

	// Commit puts what was written (base, events, index) in the place of the stream in one step, if that stands at
	// expected; it is false if the stream has moved on: write what it has more, and call again. A stream that cannot be
	// read at all (a key of another type) stands at the zero Position, like one that does not exist; foreign entries at
	// the end of a stream are passed over. It stands at base if no event follows. With nothing
	// written and a zero base it fails. Those who Tail the stream go on if what they have is part of the new content,
	// and end with ErrReset or ErrBroken at the latest when they next look if not.
	Commit(ctx context.Context, expected Position) (committed bool, err error)

	// Discard removes what was written, unless it was committed.
	Discard(ctx context.Context) error
}
