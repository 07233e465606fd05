package projection

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// Checkpoint says how far a graph's read models have come and what they hold there. The zero value is the unknown
// graph.
type Checkpoint struct {
	eventstore.Position
	Checksum        Checksum
	LastModified    int64 // Unix ms
	LastOperationID string
	Nodes, Edges    int
	Policy          jsontext.Value // the graph's conflict policy; nil: none was set
	// Stalled is why projection of this graph has stopped ("" while it goes on); the event that stopped it is
	// version Version+1.
	Stalled string
}

// Stats counts what happened in a graph. It is a read model, written in the same step as the others.
type Stats struct {
	Checkpoint
	Events    int64            // events folded
	ByType    map[string]int64 // the same by command type
	Completed int              // nodes with completed or data.completed true, or status or data.status "done" or "completed"
}

// Update is a batch of events folded into one write for each entity, together with the checkpoint it leads to.
type Update struct {
	To    Checkpoint
	Nodes map[string]jsontext.Value // new values; nil removes
	Edges map[string]jsontext.Value
	// Conflicts holds records of conflicts by their ids; nil removes.
	Conflicts map[string]jsontext.Value
	Viewport  jsontext.Value // nil: unchanged; JSON null: removed
	// Link and Unlink hold, by node, the ids of edges to add to and to remove from the node's incidence set.
	Link, Unlink map[string][]string
	ByType       map[string]int64 // events of the batch by command type
	Completed    int              // difference in completed nodes
	Reset        bool             // replace all read models of the graph: the maps hold the whole state
}

// ErrStale matches a commit that was refused because the read models are no longer where it started, or the log no
// longer holds the event it leads to. Nothing was written: load again.
var ErrStale = errors.New("projection: checkpoint has moved")

// ReadModels keeps what projectors have folded and serves it to queries. A read sees one version whole, never part
// of a commit (I5). Errors of a store out of reach are eventstore.ErrUnavailable.
type ReadModels interface {
	// Checkpoint returns where the read models of graph stand.
	Checkpoint(ctx context.Context, graph string) (Checkpoint, error)

	// Checkpoints is Checkpoint for several graphs, in one round trip where the store can.
	Checkpoints(ctx context.Context, graphs []string) ([]Checkpoint, error)

	// Load returns the whole state, policy and conflict log with it, which is the caller's. It fails with ErrChecksum if the entities are not those
	// the checkpoint was written for.
	Load(ctx context.Context, graph string) (*Graph, error)

	// Entity returns one node or edge, nil if there is none.
	Entity(ctx context.Context, graph string, kind Kind, id string) (jsontext.Value, error)

	// Entities returns all nodes or all edges, sorted by id.
	Entities(ctx context.Context, graph string, kind Kind) ([]jsontext.Value, error)

	// Incident returns the edges at a node, sorted by id; found is false if there is no such node.
	Incident(ctx context.Context, graph, node string) (edges []jsontext.Value, found bool, err error)

	// Conflicts returns the records of all conflicts that are open, and of the newest that were resolved, in the order
	// of CompareConflicts.
	Conflicts(ctx context.Context, graph string) ([]jsontext.Value, error)

	// Stats returns the counts of a graph.
	Stats(ctx context.Context, graph string) (Stats, error)

	// Commit writes update if the read models of graph stand at from, else fails with ErrStale. A call that was
	// carried out before succeeds again.
	Commit(ctx context.Context, graph string, from eventstore.Position, update *Update) error

	// Stall records that projection stops behind the checkpoint at from and why, and keeps a dead letter, once for
	// each graph and version.
	Stall(ctx context.Context, graph string, from eventstore.Position, letter DeadLetter) error

	// Delete removes every key of the graph but its log, snapshots too.
	Delete(ctx context.Context, graph string) error
}

// DeadLetter is an event that could not be processed.
type DeadLetter struct {
	Graph    string
	Version  eventstore.Version
	Cause    string
	Attempts int
	Payload  []byte // the event's data, nil if it could not be read
	Time     int64  // Unix ms
}
