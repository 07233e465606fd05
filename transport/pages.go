package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"graphy/eventstore"
)

const (
	pageEvents = 256       // of the log that are read at a time
	pageBytes  = 256 << 10 // that are handed out at a time
	partBytes  = 1 << 20   // that are read at a time, about
	pagesBytes = 2 << 20   // of pages that are kept
	pagesAge   = 5 * time.Second
)

// errBehind says that the log does not have what was there a moment ago: it is being replaced.
var errBehind = fmt.Errorf("transport: the log ends before what was read: %w", eventstore.ErrUnavailable)

// pages are parts of a graph's log that lie before its ring. Each is read once, however many need it at the same time,
// and kept for a moment for those who come next. A part has the versions from a multiple of pageEvents on, so that
// cursors that stand apart share it.
type pages struct {
	reads singleflight.Group

	mu   sync.Mutex
	kept []*part // the one read last stands last
	era  int     // counts how often all was forgotten
}

// part is a ring that is not pushed to any more.
type part struct {
	ring
	read time.Time
	cut  bool // the log has more than was read
}

// get returns the part of h's log with what follows version.
func (p *pages) get(ctx context.Context, h *hub, version eventstore.Version) (*part, error) {
	if found := p.find(version); found != nil {
		return found, nil
	}
	for first := version - version%pageEvents; ; {
		read, err := p.share(ctx, h, first)
		if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
			if first = trimmed.First; version < first {
				return nil, errDiverged
			}
			continue
		}
		if err != nil || version < read.head().Version || !read.cut {
			return read, err
		}
		first = read.head().Version
	}
}

// share reads the part after version first, together with whoever needs it at the same time.
func (p *pages) share(ctx context.Context, h *hub, first eventstore.Version) (*part, error) {
	p.mu.Lock()
	era := p.era
	p.mu.Unlock()
	answer := p.reads.DoChan(fmt.Sprint(era, ":", uint64(first)), func() (_ any, err error) {
		defer recovered("read a part of the log", &err)
		reading, cancel := context.WithTimeout(h.ctx, h.sockets.server.opts.ReadLimit)
		defer cancel()
		read, err := h.readPart(reading, first)
		if err == nil {
			p.keep(read, era)
		}
		return read, err
	})
	select {
	case result := <-answer:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*part), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find returns a kept part with events after version.
func (p *pages) find(version eventstore.Version) *part {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.kept {
		if part.base.Version <= version && version < part.head().Version {
			return part
		}
	}
	return nil
}

func (p *pages) keep(read *part, era int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if era != p.era {
		return
	}
	bytes := uint64(0)
	kept := []*part{read}
	for i := len(p.kept) - 1; i >= 0; i-- {
		older := p.kept[i]
		bytes += older.end()
		if older.base.Version != read.base.Version && bytes+read.end() <= pagesBytes {
			kept = append([]*part{older}, kept...)
		}
	}
	p.kept = kept
}

// forget drops what is kept, and what is being read: the log has another history now.
func (p *pages) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = nil
	p.era++
}

// trim drops what was read a while ago.
func (p *pages) trim(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.kept) > 0 && now.Sub(p.kept[0].read) > pagesAge {
		p.kept = append([]*part(nil), p.kept[1:]...)
	}
}

// readPart reads the events after version first from the log, and the one that leads there: pageEvents of them, or fewer
// where they are large.
func (h *hub) readPart(ctx context.Context, first eventstore.Version) (*part, error) {
	read := &part{read: time.Now()}
	after, based := first, true
	if first > 0 {
		after, based = first-1, false
	}
	for count := h.eventsPer(partBytes); ; {
		h.sockets.metrics.reads.Inc()
		events, err := h.sockets.server.services.Live.Read(ctx, h.graph, after, count)
		full := len(events) == count
		switch {
		case err != nil:
			return nil, err
		case !based && (len(events) == 0 || events[0].Version != first): // it has gone back
			return nil, errDiverged
		case !based:
			read.base, events, based = events[0].Position(), events[1:], true
		}
		if err := eventstore.VerifyChain(h.graph, read.head(), events); err != nil {
			return nil, err
		}
		for _, event := range events {
			read.append(event.Position(), stateUpdate(event))
		}
		read.cut = full
		if !full || len(read.frames) >= pageEvents || read.end() >= partBytes {
			return read, nil
		}
		after = read.head().Version
		count = pageEvents - len(read.frames)
		if size := int(read.end()) / max(len(read.frames), 1); size > 0 {
			count = min(count, max(1, (partBytes-int(read.end()))/size))
		}
	}
}

// eventsPer guesses how many events have so many bytes, from the newest ones; it is careful while there are none.
func (h *hub) eventsPer(bytes uint64) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ring.frames) == 0 {
		return pageEvents / 8
	}
	size := (h.ring.end() - h.ring.offset) / uint64(len(h.ring.frames))
	return int(min(max(bytes/size, 1), pageEvents)) + 1
}

// recovered makes an error of a panic on a goroutine of its own, where it would end the process.
func recovered(doing string, err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%s: panic: %v", doing, cause)
	}
}
