package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
	"graphy/eventstore/archive"
)

// take adds a stretch up to to, from the archive's history to through, or, with the zero Position, from the log.
func (r *restoring) take(to, through eventstore.Position) {
	if to.Version <= r.at.Version {
		return
	}
	last := len(r.runs) - 1
	if last >= 0 && r.runs[last].through == through {
		r.runs[last].to = to
	} else {
		r.runs = append(r.runs, stretch{from: r.at, to: to, through: through})
	}
	r.at = to
}

// archived reads events of the history to through.
func (r *restoring) archived(ctx context.Context, through eventstore.Position, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	ctx, cancel := r.k.transfer(ctx)
	defer cancel()
	events, err := r.k.stores.Archive.Read(ctx, r.graph, through, after, limit)
	if err == nil && len(events) == 0 && after < through.Version {
		err = archive.ErrNotFound
	}
	return events, err
}

// reach returns what the history to through begins with in the archive: the zero Base, or the oldest there is; false if
// there is none.
func (r *restoring) reach(ctx context.Context, through eventstore.Position) (eventstore.Base, bool, error) {
	_, err := r.archived(ctx, through, 0, 1)
	if err == nil || !errors.Is(err, archive.ErrNotFound) {
		return eventstore.Base{}, err == nil, err
	}
	return r.k.archivedBase(ctx, r.graph, through, through.Version)
}

// planRest goes through the log as it is, and bridges what is damaged.
func (r *restoring) planRest(ctx context.Context) error {
	for size := firstPage; r.at.Version < r.live.end; {
		page, err := r.live.read(ctx, r.at.Version, size)
		if err != nil {
			return err
		}
		good := chaining(r.at, page)
		if good > 0 {
			r.take(page[good-1].Position(), eventstore.Position{})
		}
		if good == len(page) && good > 0 {
			size = nextPage(size, page)
			continue
		}
		if err := r.bridge(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bridge finds what is damaged behind r.at in the archive.
func (r *restoring) bridge(ctx context.Context) error {
	for _, tip := range r.tips {
		over, err := r.bridgeBy(ctx, tip)
		if err != nil {
			return err
		}
		if over {
			return nil
		}
	}
	return fmt.Errorf("%w: version %d is damaged or missing, and the archive does not have what was there", ErrConflict, r.at.Version+1)
}

// bridgeBy goes along one history in the archive until the log goes on from there, or would have ended.
func (r *restoring) bridgeBy(ctx context.Context, tip eventstore.Position) (bool, error) {
	at, added, changed := r.at, int64(0), int64(0)
	there, err := r.live.read(ctx, at.Version, 1)
	for at.Version < tip.Version && err == nil {
		var page []eventstore.Event
		page, err = r.archived(ctx, tip, at.Version, firstPage)
		if errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrDamaged) || err == nil && chaining(at, page) < len(page) {
			return false, nil
		}
		for i := 0; i < len(page) && err == nil; i++ {
			if at = page[i].Position(); len(there) > 0 {
				changed++
			} else {
				added++
			}
			there = nil
			if at.Version < r.live.end {
				there, err = r.live.read(ctx, at.Version, 1)
			}
			if err == nil && (at.Version == r.live.end || chaining(at, there) == 1) {
				r.report.Added, r.report.Changed = r.report.Added+added, r.report.Changed+changed
				r.take(at, tip)
				return true, nil
			}
		}
	}
	return false, err
}

// planEnd adds what follows in the archive, if the log has lost its end.
func (r *restoring) planEnd(ctx context.Context) error {
	for _, tip := range r.tips {
		if tip.Version <= r.at.Version || r.at.Version == 0 {
			continue
		}
		events, err := r.archived(ctx, tip, r.at.Version-1, 1)
		if errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		if events[0].Position() == r.at {
			r.report.Added += int64(tip.Version - r.at.Version)
			r.take(tip, tip)
			return nil
		}
	}
	return nil
}
