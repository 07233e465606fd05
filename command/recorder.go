package command

import "context"

// Recorder keeps what became of operations for a while, by operation id alone, and the newest commands of each user.
// The log stays the truth about accepted operations; the recorder finds their graph, and knows the refused ones.
type Recorder interface {
	// Record keeps entries, soon and without blocking. It may drop some under overload.
	Record(entries ...Entry)

	// Find returns the newest entry of an operation id.
	Find(ctx context.Context, operationID string) (entry Entry, found bool, err error)
}

// Entry is what a Recorder keeps of an operation.
type Entry struct {
	OperationID string
	GraphID     string
	Type        string
	UserID      string
	Version     uint64 // 0 if it was refused
	Err         *Error // nil unless it was refused
	Timestamp   int64  // Unix ms
}
