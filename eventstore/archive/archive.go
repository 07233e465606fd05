// Package archive keeps events outside of the log: segments of a graph's history, compressed and verified, in a folder
// or an S3-compatible store (Archive), and the same one after the other in a file that is exported or imported (Writer,
// Reader).
//
// A segment is the events from one Position to another, and its name says both; so a chain of segments is followed back
// from any position by names alone, and two histories of one id are told apart by their hashes. Nothing leaves this
// package that does not chain: every event is verified against the hashes of the segment, and these against the position
// that was asked for. What is damaged is ErrDamaged, what is missing ErrNotFound, and never a wrong event.
//
// Whatever is put is read back and verified before the call returns, and may be put again. An Archive is safe for
// concurrent use, here and in other processes; a Writer or Reader is for one goroutine. What is archived when, and what
// the events and bases mean, is left to others.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"golang.org/x/sync/singleflight"

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

// Segments are meant to be about so large: whoever puts events splits them where they come to either.
const (
	SegmentEvents = 10_000
	SegmentBytes  = 4 << 20 // of Event.Data
)

// Segment is a run of events of one graph: those after From, up to and with To.
type Segment struct {
	GraphID string              `json:"graphId"`
	From    eventstore.Position `json:"from"`
	To      eventstore.Position `json:"to"`
	Bytes   int64               `json:"bytes"` // compressed; 0 in a file, where graphs share one stream
}

// Archive keeps the segments of graphs in a Store. A graph that was deleted and begun anew under the same id has
// segments of several histories there, which their hashes tell apart.
type Archive struct {
	store    Store
	loading  singleflight.Group
	loads    chan struct{}                      // holds one for each load under way
	segments *cache[string, []eventstore.Event] // decoded, by name
	contents *cache[string, *contents]          // what there is, by graph
}

// The bounds of an Archive's memory.
const (
	cachedBytes   = 64 << 20 // of decoded segments
	cachedObjects = 100_000  // names of objects
)

// New returns the Archive in store.
func New(store Store) *Archive {
	return &Archive{store: store, loads: make(chan struct{}, maxLoads), segments: newCache[string, []eventstore.Event](cachedBytes),
		contents: newCache[string, *contents](cachedObjects)}
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}
