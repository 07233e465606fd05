package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// What Import comes to.
const (
	outcomeImported  = "imported"
	outcomeExtended  = "extended"
	outcomeReplaced  = "replaced"
	outcomeUnchanged = "unchanged"
	outcomeRefused   = "refused"
)

// Import takes the logs in the archive that Export wrote, one after the other. A graph that is not there gets the whole
// log; one whose history the archive goes on with gets what it lacks; one that has all of it stays as it is; any other is
// refused, unless opts say to replace it. Nothing of a graph is put in its place before all of it was read and verified,
// and then it is all at once. report is told of each graph.
//
// It fails with archive.ErrDamaged where the archive does, and stays with the graphs before. Run again, it goes on.
func (k *Keeper) Import(ctx context.Context, r io.Reader, opts ImportOptions, report func(Imported)) error {
	reader, err := archive.NewReader(r)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer reader.Close()
	for {
		graph, base, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		m := &importing{k: k, graph: graph, base: base, opts: opts, at: base.Position}
		if err := m.run(ctx, reader); err != nil {
			return fmt.Errorf("import %q: %w", graph, err)
		}
		if report != nil {
			report(m.report())
		}
	}
}

// relation is how the history in the archive stands to the one that is there.
type relation int

const (
	unseen relation = iota // what was read has not come to the head that is there
	same                   // it went through it
	other                  // it did not
)

// importing is one graph of an import.
type importing struct {
	k     *Keeper
	graph string
	base  eventstore.Base // of the archive
	opts  ImportOptions

	live     *survey
	at       eventstore.Position // how far the archive was read
	relation relation
	draft    *draft // nil while nothing is to be written
	writing  bool
	events   int64 // of draft that the log lacks

	outcome, cause string
}

func (m *importing) run(ctx context.Context, reader *archive.Reader) (err error) {
	if m.live, err = m.k.survey(ctx, m.graph); err != nil {
		return err
	}
	if m.base.Version > 0 {
		if _, err := projection.DecodeBase(m.graph, m.base); err != nil {
			m.refuse("the state that it begins with cannot be read: " + err.Error())
			return nil
		}
	}
	defer func() { m.draft.discard(ctx) }()
	empty := m.live.end == 0 && !m.live.foreign
	if empty || m.opts.Replace {
		if err := m.write(ctx, m.base); err != nil {
			return err
		}
	} else if m.live.foreign {
		m.refuse("what is there is damaged")
		return nil
	}
	if err := m.meet(ctx); err != nil {
		return err
	}
	for page, err := range ahead(ctx, func(context.Context) pageSeq { return read(reader) }) {
		if err == nil {
			err = m.add(ctx, page)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || m.outcome != "" {
			return err
		}
	}
	return m.end(ctx, empty)
}

// read yields the events of the graph that reader is at.
func read(reader *archive.Reader) pageSeq {
	return func(yield func([]eventstore.Event, error) bool) {
		for {
			page, err := reader.Read(largePage)
			if errors.Is(err, io.EOF) {
				return
			}
			index(page)
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}

func (m *importing) refuse(cause string) { m.outcome, m.cause = outcomeRefused, cause }

func (m *importing) report() Imported {
	report := Imported{GraphID: m.graph, Outcome: m.outcome, DryRun: m.opts.DryRun, Version: m.at.Version, Events: m.events, Cause: m.cause}
	if m.outcome == outcomeRefused || m.outcome == outcomeUnchanged {
		report.Version, report.Events = m.live.end, 0
	}
	return report
}

// write begins a draft.
func (m *importing) write(ctx context.Context, base eventstore.Base) (err error) {
	m.draft.discard(ctx)
	m.events, m.writing = 0, true
	m.draft, err = m.k.draft(ctx, m.graph, base, m.opts.DryRun)
	return err
}

// add takes the next page of the archive.
func (m *importing) add(ctx context.Context, page []eventstore.Event) error {
	counted(ctx, len(page))
	head := m.live.expected.Version
	if m.relation == unseen && m.at.Version < head && page[len(page)-1].Version >= head {
		n := int(head - m.at.Version)
		if err := m.put(ctx, page[:n]); err != nil {
			return err
		}
		if err := m.meet(ctx); err != nil || m.outcome != "" {
			return err
		}
		page = page[n:]
	}
	return m.put(ctx, page)
}

func (m *importing) put(ctx context.Context, page []eventstore.Event) error {
	if len(page) == 0 {
		return nil
	}
	m.at = page[len(page)-1].Position()
	if !m.writing {
		return nil
	}
	m.events += int64(len(page))
	return m.draft.write(ctx, page)
}

// meet compares the histories, if the archive is read up to the head that is there: from then on it is known what is to
// become of the graph.
func (m *importing) meet(ctx context.Context) error {
	head := m.live.expected
	switch {
	case head.Version == 0 || m.live.foreign || m.at.Version < head.Version || m.relation != unseen:
		return nil
	case m.at == head:
		m.relation = same
		return m.goOn(ctx)
	}
	m.relation = other
	if !m.opts.Replace {
		m.refuse("it has another history")
	}
	return nil
}

// goOn begins a draft with what is there.
func (m *importing) goOn(ctx context.Context) error {
	base, err := m.k.base(ctx, m.graph)
	if err != nil {
		return err
	}
	if err := m.write(ctx, base); err != nil || m.opts.DryRun {
		return err
	}
	for page, err := range ahead(ctx, func(ctx context.Context) pageSeq {
		return m.k.pages(ctx, m.k.stream(), m.graph, base.Position, m.live.end)
	}) {
		if err == nil {
			err = m.draft.write(ctx, page)
		}
		if err != nil && damaged(err) {
			m.refuse("what is there is damaged: " + err.Error())
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end puts the draft in its place, if there is one that says more than what is there.
func (m *importing) end(ctx context.Context, empty bool) error {
	head := m.live.expected
	switch {
	case m.at.Version == 0: // no events, and nothing to begin with
		m.outcome = outcomeUnchanged
		return nil
	case m.relation == same && m.at == head:
		m.outcome, m.events = outcomeUnchanged, 0
		return nil
	case m.relation == same:
		return m.commit(ctx, outcomeExtended)
	case empty:
		return m.commit(ctx, outcomeImported)
	case m.opts.Replace:
		return m.commit(ctx, outcomeReplaced)
	}
	part, err := m.isPart(ctx)
	if err != nil {
		return err
	}
	if m.outcome, m.events = outcomeUnchanged, 0; !part {
		m.refuse("it has another history, or one that cannot be compared any more")
	}
	return nil
}

// isPart tells whether all of the archive is in the history that is there.
func (m *importing) isPart(ctx context.Context) (bool, error) {
	part, err := m.k.holds(ctx, m.k.stores.Log, m.graph, m.at)
	if err != nil || part {
		return part, err
	}
	base, err := m.k.base(ctx, m.graph)
	return base.Position == m.at, err
}

// commit puts the draft in its place. One that replaces does so whatever was written meanwhile.
func (m *importing) commit(ctx context.Context, outcome string) (err error) {
	expected := m.live.expected
	for range commitTries {
		committed, err := m.draft.commit(ctx, expected)
		if err != nil {
			return err
		}
		if committed {
			m.outcome = outcome
			return nil
		}
		if outcome != outcomeReplaced {
			m.events = 0
			m.refuse("it was written to meanwhile")
			return nil
		}
		live, err := m.k.survey(ctx, m.graph)
		if err != nil {
			return err
		}
		expected = live.expected
	}
	return ErrBusy
}
