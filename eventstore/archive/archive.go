// Package archive keeps events outside of the log: segments of a graph's history, compressed and verified, in a folder
// or an S3-compatible store (Archive), and the same one after the other in a file that is exported or imported (Writer,
// Reader).
package archive

import (
	"context"
	"errors"
	"io"
	"iter"

	"graphy/eventstore"
)

// Store keeps objects by name. Names are paths of segments of A-Z a-z 0-9 . _ - ~ joined by slashes. Implementations are
// safe for concurrent use.
type Store interface {
	// Put keeps content under name, whole or not at all, in the place of what is there.
	Put(ctx context.Context, name string, content []byte) error
	// Get returns what is kept under name; ErrNotFound if there is nothing.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List yields the objects whose names begin with prefix, sorted by name.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Delete removes what is kept under name; nothing there is no error.
	Delete(ctx context.Context, name string) error
}

// Object is what a Store lists.
type Object struct {
	Name string
	Size int64
}

var (
	// ErrNotFound matches errors of what is not in the store.
	ErrNotFound = errors.New("archive: not found")
	// ErrDamaged matches errors of what is not as it was written: a checksum, a hash, an end that is missing.
	ErrDamaged = errors.New("archive: damaged")
)

// Segment is a run of events of one graph: those after From, up to and with To.
type Segment struct {
	GraphID string              `json:"graphId"`
	From    eventstore.Position `json:"from"`
	To      eventstore.Position `json:"to"`
	Bytes   int64               `json:"bytes"` // compressed
}

// Archive keeps the segments of graphs in a Store. A graph that was deleted and begun anew under the same id has
// segments of several histories there, which their hashes tell apart.
type Archive struct {
	store Store
}

// New returns the Archive in store.
func New(store Store) *Archive { return &Archive{store: store} }
