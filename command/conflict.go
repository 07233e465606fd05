package command

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// A command conflicts on a path if an event after its base, from another client, changed that path, one above it or
// one below it, and the two would not leave the same value. This file settles such paths.

// conflictPath is one path on which a command conflicts, and how that was settled.
type conflictPath struct {
	kind projection.Kind
	id   string
	path string // JSON Pointer inside the entity, "" for all of it
	contest
	settlement
	strategy   string
	by         *record // the newest event that it conflicts with
	conflictID string  // of a path left open
}

// situation is what was done to an entity since the base, as far as it tells which strategy is the default.
type situation int

const (
	changedSince situation = iota
	deletedSince           // what the command would change
	createdSince           // what the command would create
	recreating             // the command would create what was deleted since
	removing               // the command would delete what was changed since
	endGone                // the command would write an edge to a node that was deleted since
)

// settle settles a contested path and returns what stands there then.
func (d *decider) settle(how situation, steps []string, p conflictPath) settlement {
	p.whole = isOneValue(steps)
	p.writtenAt, p.theirs = d.writtenAt, p.by.WrittenAt
	p.fits = d.fits(p.kind, steps)
	if d.merger == nil {
		d.merger = newMerger()
	}
	p.merger = d.merger
	p.strategy = d.policies.strategy(d.strategy, steps, defaultStrategy(how, p.kind, steps))
	switch {
	case how == endGone:
		p.strategy = ServerWins // an edge is never written without both its nodes
	case p.strategy == Merge && (how == deletedSince || how == createdSince || how == recreating):
		p.strategy = Manual
	}
	p.settlement = strategies[p.strategy](&p.contest)
	d.conflicts = append(d.conflicts, p)
	return p.settlement
}

// settleWhole settles a contest about an entity as a whole.
func (d *decider) settleWhole(how situation, w *write, by *record, base, server, client jsontext.Value) resolution {
	return d.settle(how, nil, conflictPath{kind: w.kind, id: w.id, by: by,
		contest: contest{base: base, server: server, client: client}}).resolution
}

// defaultStrategy is SEMANTICS.md's table of defaults.
func defaultStrategy(how situation, kind projection.Kind, steps []string) string {
	switch {
	case how == deletedSince, how == createdSince, how == endGone:
		return ServerWins
	case how == recreating:
		return LastWriteWins
	case isOneValue(steps): // removing, too
		return ClientWins
	case len(steps) == 1 && (kind == projection.Node && steps[0] == "title" || kind == projection.Edge && steps[0] == "label"):
		return Merge
	}
	return LastWriteWins
}

// isOneValue tells of a contested path whether it is one value, of which there are no halves: an entity as a whole, or a
// property that isWhole.
func isOneValue(steps []string) bool {
	return len(steps) == 0 || len(steps) == 1 && isWhole([]byte(steps[0]))
}

// fits returns what tells whether a merged value may stand at a path; nil if any may.
func (d *decider) fits(kind projection.Kind, steps []string) func(jsontext.Value) bool {
	switch {
	case kind == projection.Node && len(steps) == 1 && steps[0] == "title":
		return func(title jsontext.Value) bool { return len(projection.Text(title)) <= d.limits.Title }
	case isEnd(kind, steps):
		return func(node jsontext.Value) bool { return d.graph.Has(projection.Node, projection.Text(node)) }
	}
	return nil
}

// nameOpen gives the paths that were left open their conflict ids, one for each entity. It refuses a command that would
// leave too many.
func (d *decider) nameOpen(command *Command) *Error {
	var ids map[Target]string
	for i := range d.conflicts {
		p := &d.conflicts[i]
		if p.resolution != toManual {
			continue
		}
		if ids == nil {
			ids = map[Target]string{}
		}
		target := Target{p.kind, p.id}
		if ids[target] == "" {
			ids[target] = strconv.FormatUint(uint64(d.graph.Position.Version+1), 10) + "-" + strconv.Itoa(len(ids))
		}
		p.conflictID = ids[target]
	}
	if len(ids) > 0 && d.graph.Conflicts.Open()+len(ids) > d.limits.Conflicts {
		return refuse(TooLarge, command.pointer, "a graph has at most %d open conflicts: resolve some first", d.limits.Conflicts)
	}
	return nil
}

// reverted returns the entities of which paths were lost or stay open, as they stand in graph.
func reverted(graph *projection.Graph, paths []conflictPath) []Reverted {
	var list []Reverted
	seen := map[Target]bool{}
	for i := range paths {
		p := &paths[i]
		target := Target{p.kind, p.id}
		if p.resolution != toServer && p.resolution != toManual || seen[target] {
			continue
		}
		seen[target] = true
		value := graph.Value(p.kind, p.id)
		if p.kind == projection.Viewport {
			value = graph.ViewportValue()
		}
		list = append(list, Reverted{target, value})
	}
	return list
}
