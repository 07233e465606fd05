package upkeep

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// This file keeps what Skip takes out: nothing that was ever acknowledged is to be beyond all looking.

const (
	letterPage  = 100
	letterPages = 100
)

// keep puts the events as they were into the archive, as far as they chain, and what is taken out into dead letters.
func (m *mending) keep(ctx context.Context, s *survey) error {
	if m.k.stores.Archive != nil && m.chain.Version > 0 {
		if err := m.k.archiveAll(ctx, m.graph, m.base, m.chain); err != nil {
			return err
		}
	}
	for _, t := range m.taken {
		m.k.opts.Logger.Warn("event is taken out of the log", zap.String("graphId", m.graph), zap.Uint64("version", uint64(t.version)),
			zap.String("cause", t.cause), zap.ByteString("event", t.data[:min(len(t.data), 64<<10)]))
	}
	if m.k.stores.Letters == nil {
		return nil
	}
	first := m.others == nil
	if first {
		m.others = map[string]bool{}
	}
	known := map[eventstore.Version]bool{}
	err := m.letters(ctx, func(letter projection.Letter) error {
		known[letter.Version] = true
		m.others[letter.ID] = m.others[letter.ID] || first
		return nil
	})
	for i := 0; err == nil && i < len(m.taken); i++ {
		if t := m.taken[i]; t.data != nil && !known[t.version] {
			err = m.letter(ctx, t)
		}
	}
	return err
}

// letter adds a dead letter.
func (m *mending) letter(ctx context.Context, t taken) (err error) {
	for range commitTries { // projectors may be at work
		call, cancel := m.k.call(ctx)
		var checkpoint projection.Checkpoint
		if checkpoint, err = m.k.stores.Models.Checkpoint(call, m.graph); err == nil {
			err = m.k.stores.Models.Stall(call, m.graph, checkpoint.Position, projection.DeadLetter{Graph: m.graph, Version: t.version,
				Cause: t.cause, Attempts: 1, Payload: t.data, Time: time.Now().UnixMilli()})
		}
		cancel()
		if !errors.Is(err, projection.ErrStale) {
			return err
		}
	}
	return err
}

// close closes the letters that keep has added; the others are for who has asked for the skip.
func (m *mending) close(ctx context.Context) error {
	if m.k.stores.Letters == nil {
		return nil
	}
	skipped := map[eventstore.Version]bool{}
	for _, t := range m.taken {
		skipped[t.version] = true
	}
	return m.letters(ctx, func(letter projection.Letter) error {
		if m.others[letter.ID] || !skipped[letter.Version] {
			return nil
		}
		call, cancel := m.k.call(ctx)
		defer cancel()
		_, err := m.k.stores.Letters.CloseLetter(call, letter.ID, projection.Closing{Outcome: "skipped", Reason: m.opts.Reason,
			By: m.opts.By, Time: time.Now().UnixMilli()})
		return err
	})
}

// letters gives the open letters of the graph to act, the newest ones if there are very many.
func (m *mending) letters(ctx context.Context, act func(projection.Letter) error) error {
	for page, before := 0, ""; page < letterPages; page++ {
		call, cancel := m.k.call(ctx)
		letters, err := m.k.stores.Letters.Letters(call, false, m.graph, before, letterPage)
		cancel()
		if err != nil {
			return err
		}
		for _, letter := range letters {
			if err := act(letter); err != nil {
				return err
			}
		}
		if len(letters) < letterPage {
			return nil
		}
		before = letters[len(letters)-1].ID
	}
	return nil
}

// archiveAll puts what the archive lacks of the events of graph between base and to.
func (k *Keeper) archiveAll(ctx context.Context, graph string, base eventstore.Base, to eventstore.Position) error {
	at, err := k.archived(ctx, graph, base.Position, to.Version)
	if err != nil {
		return err
	}
	var pending []eventstore.Event
	bytes := 0
	put := func() error {
		call, cancel := k.transfer(ctx)
		defer cancel()
		segment, err := k.stores.Archive.Put(call, graph, at, pending)
		at, pending, bytes = segment.To, nil, 0
		return err
	}
	for page, err := range k.pages(ctx, k.stream(), graph, at, to.Version) {
		if err != nil {
			return err
		}
		pending, bytes = append(pending, page...), bytes+bytesOf(page)
		if len(pending)+largePage <= archive.SegmentEvents && bytes < archive.SegmentBytes {
			continue
		}
		if err := put(); err != nil {
			return err
		}
	}
	if len(pending) == 0 {
		return nil
	}
	return put()
}
