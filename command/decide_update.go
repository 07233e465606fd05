package command

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file decides merge patches of what is there: of nodes, edges and the viewport.

// update applies a merge patch.
func (d *decider) update(c *Command, w *write, current jsontext.Value) (jsontext.Value, *Error) {
	patch, err := d.settlePatch(c, w, current)
	if err != nil {
		return nil, err
	}
	set, was := projection.Resolve(current, patch, isWhole)
	if set == nil {
		return current, nil
	}
	var digits [20]byte
	now := strconv.AppendInt(digits[:0], d.now, 10)
	if before := projection.Member(current, updatedAt); !bytes.Equal(before, now) {
		if before == nil {
			before = null
		}
		set, was = projection.With(set, updatedAt, now), projection.With(was, updatedAt, before)
	}
	if len(current)+len(set) > d.limits.Entity {
		if err := d.limits.checkSize(projection.Overlay(current, set), c.valuePointer()); err != nil {
			return nil, err
		}
	}
	err = d.write(c, projection.Change{Op: projection.Patch, Kind: w.kind, ID: w.id, Set: set, Was: was})
	return d.graph.Value(w.kind, w.id), err
}

// settlePatch returns what is left of a merge patch when the paths are settled on which it conflicts.
func (d *decider) settlePatch(c *Command, w *write, current jsontext.Value) (patch jsontext.Value, err *Error) {
	patch = w.value
	if w.kind == projection.Edge {
		if patch, err = d.settleEnds(c, w, current); err != nil {
			return nil, err
		}
	}
	others := d.since.others(w.kind, w.id, d.client)
	if len(others) == 0 {
		return patch, nil
	}
	wanted := projection.MergePatch(current, patch, isWhole)
	return prune(patch, "", nil, func(path string, steps []string, leaf jsontext.Value) jsontext.Value {
		by := others.newest(w.kind, w.id, steps)
		if by == nil {
			return leaf
		}
		server, client := lookup(current, steps), lookup(wanted, steps)
		if isSame(server, client) {
			return nil // it stands there already; to take away what is gone would yet make the objects around it anew
		}
		settled := d.settle(changedSince, steps, conflictPath{kind: w.kind, id: w.id, path: path, by: by,
			contest: contest{base: d.atBase(w, steps, current), server: server, client: client}})
		switch {
		case settled.resolution == toClient:
			return leaf
		case isSame(settled.written, server):
			return nil
		case settled.written == nil:
			return null
		}
		return settled.written
	}), nil
}

// settleEnds takes out of an edge's patch the ends that are nodes which others have deleted since.
func (d *decider) settleEnds(c *Command, w *write, current jsontext.Value) (jsontext.Value, *Error) {
	patch := w.value
	for _, end := range edgeEnds {
		gone, err := d.goneEnd(c, w.value, end)
		if err != nil {
			return nil, err
		}
		if gone == nil {
			continue
		}
		steps := []string{end}
		d.settle(endGone, steps, conflictPath{kind: w.kind, id: w.id, path: "/" + end, by: gone, contest: contest{
			base: d.atBase(w, steps, current), server: projection.Member(current, end), client: projection.Member(w.value, end)}})
		patch = withPath(patch, steps, nil)
	}
	return patch, nil
}

// updateViewport lays the given parts over the viewport, which bears no stamps.
func (d *decider) updateViewport(c *Command, w *write, current jsontext.Value) (jsontext.Value, *Error) {
	before := d.graph.ViewportValue()
	value := projection.Overlay(before, w.value)
	if bytes.Equal(before, value) {
		return value, nil
	}
	if by := d.since.others(w.kind, w.id, d.client).last(); by != nil {
		base := d.atBase(w, nil, current)
		if base == nil {
			base = jsontext.Value(projection.DefaultViewport)
		}
		if d.settleWhole(changedSince, w, by, base, before, value) != toClient {
			return before, nil
		}
	}
	change := projection.Change{Op: projection.Put, Kind: w.kind, ID: w.id, Value: value}
	if current != nil {
		change.Op, change.Value = projection.Patch, nil
		change.Set, change.Was = projection.Difference(before, value)
	}
	return value, d.write(c, change)
}
