package command

import "cmp"

// The default limits, and MaxBody, which whoever reads requests sees to.
const (
	MaxBody       = 1 << 20   // bytes of a request body or frame
	MaxEntity     = 256 << 10 // bytes of an entity in canonical form
	MaxTitle      = 4 << 10   // bytes of a node's title
	MaxDepth      = 32        // levels of nesting in an entity
	MaxOperations = 1000      // operations in a batch
	MaxNodes      = 100_000   // nodes in a graph
	MaxEdges      = 200_000   // edges in a graph
	MaxConflicts  = 10_000    // open conflicts in a graph
)

// MostDepth is how large Limits.Depth may be: far below parserDepth, of which what stands around an entity takes its
// share, and small enough for the work, which is levels times bytes.
const MostDepth = 1000

// Limits are what a command may hold, which a Parser sees to, and an entity and a graph grow to, which a Processor does.
// The zero value of a field is its default. Beyond them a command is refused as TooLarge, beyond Depth as InvalidPayload.
// What was written under others stays, and can be deleted.
type Limits struct {
	Entity     int // bytes of an entity in canonical form; default 256 KiB
	Title      int // bytes of a node's title; default 4 KiB
	Depth      int // levels of nesting in an entity, which is the first itself; at most MostDepth; default 32
	Operations int // operations in a batch; default 1,000
	Nodes      int // nodes in a graph; default 100,000
	Edges      int // edges in a graph; default 200,000
	Conflicts  int // open conflicts in a graph; default 10,000
}

func (l *Limits) setDefaults() {
	l.Entity = cmp.Or(l.Entity, MaxEntity)
	l.Title = cmp.Or(l.Title, MaxTitle)
	l.Depth = cmp.Or(l.Depth, MaxDepth)
	l.Operations = cmp.Or(l.Operations, MaxOperations)
	l.Nodes = cmp.Or(l.Nodes, MaxNodes)
	l.Edges = cmp.Or(l.Edges, MaxEdges)
	l.Conflicts = cmp.Or(l.Conflicts, MaxConflicts)
}
