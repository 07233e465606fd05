package commandtest

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Driver carries out the requests of one case, on one graph that is empty at first. Its methods are called by the
// test's goroutine only, and fail the test on whatever is no answer.
type Driver interface {
	// Tick lets at least a millisecond go by, so that each step has a time of its own.
	Tick(t testing.TB)
	// Send carries out one request and returns its answer, once all that follows from it has reached who is to get it.
	// Its error is ErrUnsupported for what the driver has no way to do.
	Send(t testing.TB, r Request) (Reply, error)
	// Events returns all events, as the changes of the contract, with their hashes.
	Events(t testing.TB) []jsontext.Value
	// State returns the newest state, with nodes, edges, viewport, version and checksum.
	State(t testing.TB) jsontext.Value
	// Messages returns what each client was sent beside state_update since the last call, in order, by Client.String;
	// nil if the driver has no messages. It fails the test if a client lacks an event.
	Messages(t testing.TB) map[string][]jsontext.Value
}

// ErrUnsupported says that a driver cannot carry out a request: the step is passed over.
var ErrUnsupported = errors.New("commandtest: the driver cannot do this")

// Reply is the answer to a request.
type Reply struct {
	Refused bool
	Body    jsontext.Value // of the 200 or 202, or the problem
	Retry   func() Reply   // asks again, for an answer that comes to be; nil: it does not
	Socket  bool           // the answer came as a message, which is among the messages too
}
