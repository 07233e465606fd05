package upkeep

import (
	"context"
	"errors"

	"graphy/eventstore"
	"graphy/projection"
)

// firstMismatches is how many a report names; all are counted.
const firstMismatches = 100

// findings are the mismatches of one graph.
type findings struct {
	count  int
	first  []projection.Mismatch
	byKind map[string]int
}

// add takes note of a mismatch; it is true, so that it can be given to Contents.Compare.
func (f *findings) add(m projection.Mismatch) bool {
	f.count++
	if f.byKind == nil {
		f.byKind = map[string]int{}
	}
	f.byKind[m.Kind]++
	if len(f.first) < firstMismatches {
		f.first = append(f.first, m)
	}
	return true
}

// ofLog tells whether there are some that keep the log from being folded.
func (f *findings) ofLog() bool {
	return f.byKind["chain"]+f.byKind["event"]+f.byKind["checksum"] > 0
}

// ofIndex tells whether there are none but of the index of operations.
func (f *findings) ofIndex() bool { return f.byKind["operation"] == f.count }

// compare holds contents against the fold that they should be.
func (f *findings) compare(contents *projection.Contents, state *projection.Graph) {
	want := projection.ContentsOf(state)
	if state.ByType == nil {
		want.ByType = contents.ByType // the fold began with a state from before counts were kept
	}
	contents.Compare(want, f.add)
}

// passing tells whether a failure says nothing about the graph: a store was out of reach, or time was up.
func passing(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknown) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
