// Package command turns requests into events: it parses and checks commands, decides them on the graph at the head of
// its log, and appends what was decided.
//
// A command is accepted when its event is in the log, and not before (I1); a refused one leaves no event. Deciding is
// pure (decide.go): graph, history, clock and ids come in with the command. Where others have written since the base of a
// command, each path is settled by a strategy (conflict.go, strategy.go); what a user can undo is drawn from the log
// (stack.go) and taken back path by path (undo.go). The impure shell is one session for each graph with traffic
// (session.go): it decides commands in the order submitted and appends as many as have gathered by one call. Any number of
// processes may do so for the same graph: the log refuses an append that does not start at its head, and the session
// catches up and decides again.
//
// An operation is done once for as long as the log is kept: the log's index of operations is asked in the same step that
// writes, and a repetition gets the first answer again (recall.go). When the outcome of an append is not known, the very
// same append is sent again before anything else is appended.
//
// Processor is safe for concurrent use. What an event means is package projection's concern, who may send a command that
// of package transport.
package command

import (
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// The types of commands that clients send (API.md, Commands).
const (
	CreateNode         = "CREATE_NODE"
	UpdateNode         = "UPDATE_NODE"
	UpdateNodePosition = "UPDATE_NODE_POSITION"
	UpdateNodeTitle    = "UPDATE_NODE_TITLE"
	DeleteNode         = "DELETE_NODE"
	CreateEdge         = "CREATE_EDGE"
	UpdateEdge         = "UPDATE_EDGE"
	DeleteEdge         = "DELETE_EDGE"
	UpdateViewport     = "UPDATE_VIEWPORT"
	BatchUpdate        = "BATCH_UPDATE"
	Restore            = "RESTORE"
)

// The types of commands, and of their events, that have requests of their own.
const (
	Batch     = "BATCH" // an atomic batch
	Undo      = "UNDO"
	Redo      = "REDO"
	Resolve   = "RESOLVE"
	SetPolicy = "SET_POLICY"
)

// Identity says who sends a command.
type Identity struct {
	UserID string
	// ClientID is the tab or process; "" stands for all clients of the user that do not name themselves.
	ClientID string
	// Fixed: ClientID counts whatever the body says, as on a WebSocket.
	Fixed bool
}

// Command is a request to change a graph, as parsed and checked for form. It is read only once submitted.
type Command struct {
	Identity
	OperationID string
	Minted      bool // the client gave no operation id and a ULID was made: it cannot have been done before
	Type        string
	Payload     jsontext.Value // canonical; nil for Batch
	Request     string         // fingerprint of type and payload

	HasBase     bool
	Base        eventstore.Version // the version that the edit was made on; head if HasBase is false
	BaseHash    eventstore.Hash    // "" if not given
	HasBaseHash bool
	Timestamp   int64 // Unix ms, the client's clock; 0 if not given
	Strategy    string
	GestureID   string
	DryRun      bool // decide it, answer what would come of it, and write nothing

	// Operations are the parts of an atomic batch or of a BATCH_UPDATE, in order.
	Operations []Command

	pointer string  // where the command stands in the request body: "", or "/operations/3"
	limits  *Limits // of the Parser, while the payload is read
	write   write   // what it does to an entity; of kind "" where it has Operations or is none of those below

	force   bool               // of UNDO and REDO: write what others have overwritten, too
	version eventstore.Version // of RESTORE
	resolve resolve            // of RESOLVE
}

// resolve is a person's word on an open conflict.
type resolve struct {
	conflictID string
	choice     string                    // one of the choices below
	values     map[string]jsontext.Value // by path; of choiceValues
}

const (
	choiceClient = "client"
	choiceServer = "server"
	choiceValues = "values"
)

// Targets returns the entity that the command is about, as far as it is known before it is decided; for a batch the
// entities of its parts.
func (c *Command) Targets() []Target {
	if c.Operations == nil {
		return c.write.targets()
	}
	targets := make([]Target, 0, len(c.Operations))
	for i := range c.Operations {
		targets = append(targets, c.Operations[i].Targets()...)
	}
	return targets
}

// Target names an entity.
type Target struct {
	Kind projection.Kind
	ID   string
}

// action is what a command does to its entity.
type action int

const (
	create  action = iota // refused where the entity exists
	update                // merge patch
	replace               // upsert: the whole entity
	remove
)

// write is a payload, checked and reduced to what decide needs.
type write struct {
	action action
	kind   projection.Kind
	id     string // "" until one is minted, for a create without id
	// value is the entity without stamps and id (create, replace) or a merge patch (update), canonical.
	value jsontext.Value
}

// targets returns the entity that is written, and the ends that it gives an edge.
func (w *write) targets() []Target {
	if w.kind == "" {
		return nil
	}
	targets := []Target{{w.kind, w.id}}
	if w.kind == projection.Edge {
		for _, end := range edgeEnds {
			if id := projection.Text(projection.Member(w.value, end)); id != "" {
				targets = append(targets, Target{projection.Node, id})
			}
		}
	}
	return targets
}

var edgeEnds = [...]string{"source", "target"}

// Outcome is the answer to a command that is in the log.
type Outcome struct {
	OperationID string
	Version     eventstore.Version
	Hash        eventstore.Hash
	Status      string // StatusProcessing, StatusCompleted or StatusConflict
	Duplicate   bool   // done before; this is the first answer again
	Result      jsontext.Value
	Conflict    jsontext.Value // nil if nothing conflicted
	DryRun      bool           // nothing was written: Status is StatusDryRun, and there is no Hash

	Undoes   []eventstore.Version // of an UNDO: the versions of the step taken back
	Redoes   []eventstore.Version // of a REDO: the version of the UNDO taken back
	Skipped  jsontext.Value       // of both: an array of what others have written since; nil for nothing
	Reverted []Reverted           // what the sender falls back to where paths were lost or stay open; nil in a duplicate
}

// Reverted is an entity of which a command lost paths, as it stands after the command; nil: it is not there.
type Reverted struct {
	Target
	Value jsontext.Value
}

// The states of an operation.
const (
	StatusProcessing = "processing"
	StatusCompleted  = "completed"
	StatusConflict   = "conflict"
	StatusFailed     = "failed"
	StatusDryRun     = "dry-run"
)

// Operation is what is known of an operation, newest first of its id.
type Operation struct {
	Outcome
	GraphID     string
	Type        string
	Err         *Error // why it failed, nil unless Status is StatusFailed
	CreatedAt   int64  // Unix ms
	CompletedAt int64  // Unix ms; 0 if it has not completed, or that is not known
}
