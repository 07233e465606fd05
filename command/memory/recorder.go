// Package memory keeps what became of operations in memory: what the other packages test against.
package memory

import (
	"context"
	"sync"

	"graphy/command"
)

// Recorder is a command.Recorder in memory. The zero value is ready to use.
type Recorder struct {
	mu      sync.Mutex
	entries map[string]command.Entry
}

var _ command.Recorder = (*Recorder)(nil)

// Record implements command.Recorder.
func (r *Recorder) Record(entries ...command.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries == nil {
		r.entries = map[string]command.Entry{}
	}
	for _, entry := range entries {
		r.entries[entry.OperationID] = entry
	}
}

// Find implements command.Recorder.
func (r *Recorder) Find(_ context.Context, operationID string) (command.Entry, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry, found := r.entries[operationID]
	return entry, found, nil
}
