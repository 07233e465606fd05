package projection

import (
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// Kind says what an entity is.
type Kind string

// The kinds of entities. The viewport is one entity, its id is ViewportID.
const (
	Node     Kind = "node"
	Edge     Kind = "edge"
	Viewport Kind = "viewport"

	ViewportID = "viewport"
)

// Op says how a change writes its entity.
type Op string

// The ops of a change; see Change for what each carries.
const (
	Put    Op = "put"
	Patch  Op = "patch"
	Delete Op = "delete"
)

// Change is one resolved write of one entity. All values are canonical JSON. It carries what was there before, so it
// is its own inverse.
type Change struct {
	Op   Op
	Kind Kind
	ID   string

	Value jsontext.Value // Put: the whole entity
	Set   jsontext.Value // Patch: new values of top-level properties, null removes one; only what differs
	Was   jsontext.Value // Put: the whole old value, nil if there was none; Patch: the old values, null for absent; Delete: the whole old value
}

// MovesExistence tells whether the change creates its entity or deletes it.
func (c *Change) MovesExistence() bool { return c.Op == Delete || c.Op == Put && c.Was == nil }

// OperationRecord is what an event remembers of one operation of the batch that it settles.
type OperationRecord struct {
	OperationID string // "" if the operation had none of its own
	Type        string
	Request     string // fingerprint of type and payload
	Kind        Kind   // with ID: the entity the operation is about
	ID          string
	Changes     int // how many of the event's changes are its own; they stand in the order of the operations
}

// Event is a fact of a graph's history: a command that was accepted, with the changes it made. Its JSON form is the
// one of API.md, without hash.
type Event struct {
	Version     eventstore.Version
	CommandType string
	OperationID string
	UserID      string
	ClientID    string
	Timestamp   int64 // Unix ms, the server's clock
	WrittenAt   int64 // Unix ms, the write time that conflicts compare; equal to Timestamp unless the client was earlier
	GestureID   string
	Request     string // fingerprint of the command's type and payload
	Operations  []OperationRecord
	Conflict    jsontext.Value       // nil if nothing conflicted
	Undoes      []eventstore.Version // of an UNDO: the versions of the step that it takes back
	Redoes      []eventstore.Version // of a REDO: the version of the UNDO that it takes back
	Skipped     jsontext.Value       // what an UNDO or REDO left as others have written it; nil for nothing
	Restored    eventstore.Version   // of a RESTORE: the version whose state it brings back
	IsRestore   bool                 // tells a restored version 0 from none
	Policy      jsontext.Value       // of a SET_POLICY: the graph's conflict policy from here on; nil: as before
	Resolves    *Resolution          // the conflict that this event closes; nil for none
	Reopens     string               // id of the conflict that this event opens again; "" for none
	Skips       jsontext.Value       // of a SKIP: why what stood here was taken out, and by whom; nil: it is none
	Changes     []Change
	Checksum    string // of the state the event leads to
}

// Resolution says which open conflict was closed, and how.
type Resolution struct {
	ConflictID string
	Choice     string // "client", "server" or "values"
}

// OperationIDs returns the ids of all operations that the event settles, its own first.
func (e *Event) OperationIDs() []string {
	ids := make([]string, 1, 1+len(e.Operations))
	ids[0] = e.OperationID
	for _, operation := range e.Operations {
		if operation.OperationID != "" {
			ids = append(ids, operation.OperationID)
		}
	}
	return ids
}
