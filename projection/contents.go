package projection

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// Contents are all read models of one graph at one moment, as they are kept.
type Contents struct {
	Checkpoint Checkpoint
	Nodes      map[string]jsontext.Value
	Edges      map[string]jsontext.Value
	Conflicts  map[string]jsontext.Value
	Viewport   jsontext.Value      // nil: never set
	Incident   map[string][]string // node → ids of its edges, sorted; no entry for none
	ByType     map[string]int64    // events by command type
	Completed  int                 // completed nodes
	// Damage names, in words, what could not be read: a key of another type, a number that is none. It is missing in the
	// rest.
	Damage []string
}

// Workshop is where read models are looked at as a whole and built anew beside those that are served. Implementations
// are those of ReadModels, and pass projectiontest.RunWorkshop.
type Workshop interface {
	// Inspect returns the read models of graph at one moment, with the incidence sets of its own nodes and of the nodes
	// named. Damaged keys are no error, but Damage.
	Inspect(ctx context.Context, graph string, nodes []string) (*Contents, error)

	// Stage writes contents beside the read models of graph, unseen by readers, as much of it as differs from live (what
	// Inspect returned before; nil: all of it). What is abandoned goes away by itself within the hour.
	Stage(ctx context.Context, graph string, contents, live *Contents) (Staged, error)
}

// Staged are read models in the making. It is for one goroutine.
type Staged interface {
	// Swap puts them in the place of the graph's read models, all in one step with the checkpoint, after update, which
	// leads on from what was staged (nil: nothing does). It fails with ErrStale, and changes nothing, if the log does not
	// hold the position that this comes to, if the read models have come further than that, or if they are not where they
	// were inspected and something was left out since it was the same: inspect and stage again, all of it if need be.
	Swap(ctx context.Context, update *Update) error

	// Discard removes what was staged and not swapped.
	Discard(ctx context.Context) error
}

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

// DeadLetters are what could not be processed, until somebody has dealt with it, and for a while after.
type DeadLetters interface {
	// Letters returns up to limit open, or closed, letters, newest first: those before the letter called before, if that
	// is not "", and of graph, if that is not "".
	Letters(ctx context.Context, closed bool, graph, before string, limit int) ([]Letter, error)

	// Letter returns one; false if there is none.
	Letter(ctx context.Context, id string) (Letter, bool, error)

	// CloseLetter moves an open letter to the closed ones, of which the newest 10,000 are kept; false if it is not open.
	CloseLetter(ctx context.Context, id string, closing Closing) (bool, error)

	// OpenLetters returns how many letters are open.
	OpenLetters(ctx context.Context) (int64, error)

	// Release lets projectors try a graph again that they have parked: its checkpoint says no more that it is stalled.
	// They notice within a sweep.
	Release(ctx context.Context, graph string) error
}

// Mismatch is one thing that is not as it should be.
type Mismatch struct {
	// Kind is "chain", "event", "checksum" (the log); "state", "node", "edge", "viewport", "incident", "conflict",
	// "stats", "damage" (the read models); "operation" (the index of operations); "base" (what a trimmed log begins with).
	Kind    string             `json:"kind"`
	ID      string             `json:"id,omitempty"`     // of the entity, field or operation
	Version eventstore.Version `json:"version,omitzero"` // of the event
	Want    string             `json:"want,omitempty"`   // cut to 200 bytes
	Found   string             `json:"found,omitempty"`  // cut to 200 bytes; absent: nothing is there
	Detail  string             `json:"detail,omitempty"`
}
