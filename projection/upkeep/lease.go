package upkeep

import (
	"context"
	"time"
)

// Lease lets one process at a time do work of a name, as far as that can be known: a process that was frozen may find
// itself at work beside another, so the work must bear it. Implementations are safe for concurrent use.
type Lease interface {
	// Hold takes or renews the lease of name for so long, and tells whether this process has it.
	Hold(ctx context.Context, name string, long time.Duration) (held bool, err error)

	// Release gives it back, if this process has it.
	Release(ctx context.Context, name string) error
}

// alone is the lease of a process that knows of no other.
type alone struct{}

func (alone) Hold(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (alone) Release(context.Context, string) error                     { return nil }
