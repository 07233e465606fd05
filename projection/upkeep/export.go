package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/archive"
)

// Export writes the logs of graphs to w as one archive, each from its beginning, through the archive if there is one, up
// to where it stands when its turn comes. Writers go on. Names of graphs that are not there are passed over. progress is
// told of each graph.
//
// A graph whose log is damaged is exported up to the damage; the others are not concerned, and w gets a whole archive. The
// error then names it, and comes with the manifest. With any other error what w got is not an archive.
func (k *Keeper) Export(ctx context.Context, w io.Writer, graphs iter.Seq2[string, error], progress func(Exported)) (archive.Manifest, error) {
	writer, err := archive.NewWriter(w)
	if err != nil {
		return archive.Manifest{}, err
	}
	defer writer.Abort()
	var damages []error
	e := &exporting{k: k, writer: writer}
	for part, err := range ahead(ctx, func(ctx context.Context) iter.Seq2[part, error] { return k.parts(ctx, graphs) }) {
		if err == nil {
			err = e.add(part)
		}
		if err != nil {
			return archive.Manifest{}, fmt.Errorf("export: %w", err)
		}
		if part.damage != nil {
			k.opts.Logger.Error("log is exported up to where it is damaged", zap.String("graphId", part.graph), zap.Error(part.damage))
			damages = append(damages, fmt.Errorf("export %q: %w", part.graph, part.damage))
		}
		if part.last && progress != nil {
			progress(e.done)
		}
	}
	if err := writer.Close(); err != nil {
		return archive.Manifest{}, fmt.Errorf("export: %w", err)
	}
	return writer.Manifest(), errors.Join(damages...)
}

// part is a piece of an export.
type part struct {
	graph  string
	base   *eventstore.Base // of the first part of a graph
	events []eventstore.Event
	last   bool
	damage error // of the last part: why it is the last
}

// exporting writes parts.
type exporting struct {
	k      *Keeper
	writer *archive.Writer
	done   Exported
}

func (e *exporting) add(p part) error {
	if p.base != nil {
		e.done = Exported{GraphID: p.graph, From: p.base.Position}
		if err := e.writer.Begin(p.graph, *p.base); err != nil {
			return err
		}
	}
	if len(p.events) > 0 {
		e.done.Events += int64(len(p.events))
		if err := e.writer.Write(p.events); err != nil {
			return err
		}
	}
	if !p.last {
		return nil
	}
	segment, err := e.writer.End()
	e.done.To = segment.To
	return err
}

// parts reads the logs of graphs, one after the other.
func (k *Keeper) parts(ctx context.Context, graphs iter.Seq2[string, error]) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		for graph, err := range graphs {
			if err != nil {
				yield(part{}, err)
				return
			}
			goOn, err := k.partsOf(ctx, graph, func(p part) bool { return yield(p, nil) })
			if err != nil {
				yield(part{}, fmt.Errorf("%q: %w", graph, err))
				return
			}
			if !goOn {
				return
			}
		}
	}
}

// partsOf yields the log of one graph, if there is one. It tells whether it came to the end.
func (k *Keeper) partsOf(ctx context.Context, graph string, yield func(part) bool) (bool, error) {
	s, err := k.survey(ctx, graph)
	if err != nil {
		return false, err
	}
	if s.end == 0 && !s.foreign {
		return true, nil
	}
	base, err := k.beginning(ctx, graph, s.end)
	if err != nil && !damaged(err) && !errors.Is(err, eventstore.ErrTrimmed) {
		return false, err
	}
	if !yield(part{graph: graph, base: &base}) {
		return false, nil
	}
	last := part{graph: graph, last: true, damage: err}
	for page, err := range k.pages(ctx, k.stores.Log, graph, base.Position, s.end) {
		if last.damage == nil && err != nil {
			last.damage = err
		}
		if last.damage != nil {
			break
		}
		if !yield(part{graph: graph, events: page}) {
			return false, nil
		}
	}
	if last.damage != nil && !damaged(last.damage) && !errors.Is(last.damage, eventstore.ErrTrimmed) && !errors.Is(last.damage, archive.ErrDamaged) {
		return false, last.damage
	}
	if last.damage == nil && s.foreign {
		last.damage = &eventstore.ChainError{Stream: graph, Version: s.end + 1, Reason: "entries follow that are no events"}
	}
	return yield(last), nil
}
