package upkeep

import (
	"context"
	"fmt"

	"graphy/eventstore"
)

// write does what was planned, and puts it in the place of the log.
func (r *restoring) write(ctx context.Context) error {
	d, err := r.k.draft(ctx, r.graph, r.base, false)
	if err != nil {
		return err
	}
	defer d.discard(ctx)
	for _, run := range r.runs {
		if err := r.writeStretch(ctx, d, run); err != nil {
			return err
		}
	}
	for range commitTries {
		committed, err := d.commit(ctx, r.live.expected)
		if err != nil || committed {
			return err
		}
		// What was written meanwhile follows.
		if r.live, err = r.k.survey(ctx, r.graph); err != nil {
			return err
		}
		if r.live.end < r.at.Version {
			break
		}
		for page, err := range r.k.pages(ctx, r.k.stream(), r.graph, r.at, r.live.end) {
			if err == nil {
				err = d.write(ctx, page)
			}
			if err != nil {
				return err
			}
			r.at = page[len(page)-1].Position()
			r.report.Version = r.at.Version
		}
	}
	return fmt.Errorf("%w: the log is being changed", ErrBusy)
}

func (r *restoring) writeStretch(ctx context.Context, d *draft, run stretch) error {
	for page, err := range ahead(ctx, func(ctx context.Context) pageSeq {
		if run.through.Version == 0 {
			return r.livePages(ctx, run)
		}
		return r.archivedPages(ctx, run)
	}) {
		if err == nil {
			err = d.write(ctx, page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// archivedPages yields the events of a stretch from the archive, which verifies them.
func (r *restoring) archivedPages(ctx context.Context, run stretch) pageSeq {
	return func(yield func([]eventstore.Event, error) bool) {
		for at, size := run.from.Version, firstPage; at < run.to.Version; {
			page, err := r.archived(ctx, run.through, at, int(min(eventstore.Version(size), run.to.Version-at)))
			if err != nil {
				yield(nil, err)
				return
			}
			counted(ctx, len(page))
			at, size = page[len(page)-1].Version, nextPage(size, page)
			if !yield(page, nil) {
				return
			}
		}
	}
}

// livePages yields the events of a stretch from the log, past what stands between them.
func (r *restoring) livePages(ctx context.Context, run stretch) pageSeq {
	return func(yield func([]eventstore.Event, error) bool) {
		for at, size := run.from, firstPage; at.Version < run.to.Version; {
			page, err := r.live.read(ctx, at.Version, int(min(eventstore.Version(size), run.to.Version-at.Version)))
			if err == nil && (len(page) == 0 || chaining(at, page) < len(page)) {
				err = fmt.Errorf("%w: the log is being changed", ErrBusy)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			at, size = page[len(page)-1].Position(), nextPage(size, page)
			if !yield(page, nil) {
				return
			}
		}
	}
}
