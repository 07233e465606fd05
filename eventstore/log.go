// Package eventstore is the port to the log: ordered events in one stream per graph, the truth from which
// everything else is derived.
//
// A stream has versions 1, 2, 3 … without a hole (invariant I2) and its events form a hash chain. Appends are
// atomic and conditional on the position they expect, so any number of processes may append to one stream without
// losing an update. Beside each stream stands the index of operations (operation id → version), written in the
// same step as the events, so an operation is in the log at most once (I1).
//
// The adapters are eventstore/redis (Redis Streams), eventstore/memory (tests) and eventstore/embedded (Redis
// inside the process, with a journal). All pass eventstoretest.Run and are safe for concurrent use. What the
// events mean is left to package projection.
package eventstore

import (
	"context"
	"iter"
	"time"
)

// Log is an append-only record of events with one total order per stream.
type Log interface {
	// Append writes events (at least one, oldest first, that chain to expected) if the stream stands at expected,
	// version and hash, and none of their Operations is in the index; all or none. So nothing is ever appended onto
	// another history that has come to the same version. Identical events appended again are Applied. It retries by
	// itself what certainly was not applied or is safe to send again, until ctx is done; its errors are ErrUnavailable,
	// ErrUnknown, or ErrBroken where the stream cannot be written to because it is not what was appended; and ErrTrimmed
	// where it has moved on so far that it cannot be told whether identical events were appended by an earlier call:
	// without one it is a Conflict.
	Append(ctx context.Context, stream string, expected Position, events []Event) (AppendResult, error)

	// Read returns up to limit events after version after, oldest first; none at or above the head. Where the next one was
	// trimmed it fails with a *TrimmedError.
	Read(ctx context.Context, stream string, after Version, limit int) ([]Event, error)

	// ReadBackward returns up to limit events before version before (0: from the head), newest first; less where the log
	// does not reach further back. Where all of them were trimmed it fails with a *TrimmedError.
	ReadBackward(ctx context.Context, stream string, before Version, limit int) ([]Event, error)

	// Head returns where the stream stands, the zero Position for an unknown stream.
	Head(ctx context.Context, stream string) (Position, error)

	// Tail yields the events of stream after version after, oldest first, without hole or double, and waits for new
	// ones until ctx is done; its last pair is then a zero Event and ctx's error. Lost notifications and lost
	// connections delay events, they never lose one. If the stream is deleted, goes back, or ends before after, it
	// ends with ErrReset, if the next event was trimmed with ErrTrimmed: either way start anew from a state; a hole in the
	// stream, or a hash that does not chain, ends it with ErrBroken.
	Tail(ctx context.Context, stream string, after Version) iter.Seq2[Event, error]

	// Operations looks ids up in the stream's index: the version of the event that settled each, 0 for none.
	Operations(ctx context.Context, stream string, ids ...string) ([]Version, error)

	// Delete removes the stream and its index; Tails end with ErrReset. Deleting an unknown stream is no error.
	// Read models are not its concern.
	Delete(ctx context.Context, stream string) error

	// Streams lists stream names above cursor ("" at first) in byte order, up to limit. A name may be listed
	// before its first event is appended.
	Streams(ctx context.Context, cursor string, limit int) ([]string, error)

	// Appends tells of the appends of this Log, and of those of others that nobody listens to where they are made, from
	// now on until ctx is done. It is a doorbell: notices may be lost, doubled or out of order, so follow it up by
	// reading, and sweep Active from time to time.
	Appends(ctx context.Context) iter.Seq[Notice]

	// Active lists streams that were marked as appended to, the longest unmarked first, up to limit. A stream is
	// marked before an append becomes visible and at least every 10 s while appends go on.
	Active(ctx context.Context, limit int) ([]ActiveStream, error)

	// Settle takes stream off the Active list, unless it was marked again after marked.
	Settle(ctx context.Context, stream string, marked time.Time) error
}

// AppendResult says what an Append came to. Head is the stream's version after the call.
type AppendResult struct {
	Outcome Outcome
	Head    Version
	// Done holds, for a Duplicate, those of the events' operations that are in the index, with their versions.
	Done map[string]Version
}

// Outcome is the answer to an Append.
type Outcome int

const (
	// Applied: the events are in the stream, now or since an earlier identical call.
	Applied Outcome = iota
	// Conflict: the stream does not stand at the expected position; nothing was written. Head may be above the expected
	// version, below it, or equal to it with another hash: then it is another history.
	Conflict
	// Duplicate: an operation was done before; nothing was written.
	Duplicate
)

// Notice says that stream was appended to.
type Notice struct {
	Stream string
	Head   Version // the version appended up to
	Events []Event // the events appended, when this process appended them; else nil
}

// ActiveStream is a stream that was appended to lately.
type ActiveStream struct {
	Stream string
	Marked time.Time // millisecond precision
}
