package eventstore

import (
	"errors"
	"fmt"
)

// Every call of a Log ends in one of three classes. No error: it was carried out, or answered by a value that says
// why not. An error that is ErrUnknown: a write may have been carried out, now or later. Any other error: it
// certainly was not.
var (
	// ErrUnavailable matches errors of a log that is out of reach or refuses for now (loading, read only, out of
	// memory, failing over). Nothing was written; try again later.
	ErrUnavailable = errors.New("eventstore: unavailable")

	// ErrUnknown matches errors of an append or delete whose outcome is not known: the call was sent and no answer
	// came. Call again with the very same arguments: an append is idempotent for identical events.
	ErrUnknown = errors.New("eventstore: outcome unknown")

	// ErrBroken matches a stream that is not what was appended: a hole, a foreign entry, a hash that does not chain.
	ErrBroken = errors.New("eventstore: broken stream")

	// ErrReset ends a Tail whose stream was deleted or has gone back behind what the Tail had yielded: start anew
	// from a state.
	ErrReset = errors.New("eventstore: stream was reset")
)

// ChainError is an ErrBroken that knows where.
type ChainError struct {
	Stream  string
	Version Version // the first version that is wrong
	Reason  string
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("%v: stream %q at version %d: %s", ErrBroken, e.Stream, e.Version, e.Reason)
}

func (e *ChainError) Unwrap() error { return ErrBroken }
