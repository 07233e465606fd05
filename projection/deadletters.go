package projection

import "context"

// Letter is a dead letter as it is kept.
type Letter struct {
	ID string // of the entry in the stream deadletters
	DeadLetter
	Closed *Closing // nil while it is open
}

// Closing says what was done about a dead letter.
type Closing struct {
	Outcome string // "retried", "skipped", "discarded"
	Reason  string
	By      string // user
	Time    int64  // Unix ms
}

// DeadLetters are what could not be processed, until somebody has dealt with it, and for a while after. What others have
// written among them is passed over. Implementations are those of ReadModels, and pass projectiontest.RunDeadLetters.
type DeadLetters interface {
	// Letters returns up to limit open, or closed, letters, newest first (closed ones: those closed last): those before the
	// letter called before, if that is not "", and of graph, if that is not "".
	Letters(ctx context.Context, closed bool, graph, before string, limit int) ([]Letter, error)

	// Letter returns one; false if there is none.
	Letter(ctx context.Context, id string) (Letter, bool, error)

	// CloseLetter moves an open letter to the closed ones, of which about the newest 10,000 are kept; false if it is not
	// open.
	CloseLetter(ctx context.Context, id string, closing Closing) (bool, error)

	// OpenLetters returns how many letters are open.
	OpenLetters(ctx context.Context) (int64, error)

	// Release lets projectors try a graph again that they have parked: its checkpoint says no more that it is stalled, and
	// another failure of the same event is another letter, if this one is closed by then. They notice within a sweep.
	Release(ctx context.Context, graph string) error
}
