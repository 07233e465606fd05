package command

// Limits of what a command may hold and a graph may grow to. Beyond them a command is refused as TooLarge, beyond
// MaxDepth as InvalidPayload.
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
