package embedded

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/redis"
)

// A replayer builds the streams, their operations, the directory and the marks of activity in a Redis that is not
// serving yet. All replayed streams are marked active, because their read models have to be built anew.
type replayer struct {
	db       *miniredis.RedisDB
	keys     redis.Keys
	streams  map[string]*stream
	logger   *zap.Logger
	progress progress

	records, events int64
	dead            int64 // bytes of records whose stream was deleted after them
}

// open replays the journal at path, compacts it if most of it is dead, and returns it ready to append.
func (p *replayer) open(ctx context.Context, path string) (*journal, error) {
	started := time.Now()
	visit := func(r record, size int, read int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return p.apply(r, size, read)
	}
	j, err := openJournal(path, p.logger, p.progress.begin, visit)
	if err != nil {
		return nil, err
	}
	if err := p.finish(started); err != nil {
		return nil, errors.Join(err, j.close())
	}
	if p.records > 0 {
		p.logger.Info("journal replayed", zap.String("file", path), zap.Int64("bytes", j.end),
			zap.Int("graphs", len(p.streams)), zap.Int64("events", p.events), zap.Duration("took", time.Since(started)))
	}
	if !worthCompacting(p.dead, j.end) {
		return j, nil
	}
	return p.compact(j, path)
}

// compact swaps the journal for one without the deleted streams. If there is no room for that, the old one goes on.
func (p *replayer) compact(old *journal, path string) (*journal, error) {
	temporary, err := compactJournal(old.file, old.end, path, p.keep)
	if err != nil {
		p.logger.Warn("journal could not be rid of deleted graphs; going on with it as it is",
			zap.String("file", path), zap.Error(err))
		return old, nil
	}
	if err := errors.Join(old.close(), installFile(temporary, path)); err != nil {
		return nil, err // which file bears the name is not certain, so neither may be written to
	}
	j, err := openJournal(path, p.logger, func(int64) {}, func(record, int, int64) error { return nil })
	if err == nil {
		p.logger.Info("journal rid of deleted graphs", zap.String("file", path),
			zap.Int64("before", old.end), zap.Int64("bytes", j.end))
	}
	return j, err
}

// apply is the visit of one record.
func (p *replayer) apply(r record, size int, read int64) error {
	number := p.records
	p.records++
	p.progress.show(read)

	st := p.streams[r.stream]
	if r.kind == kindDelete {
		p.dead += int64(size)
		if st != nil {
			p.dead += st.bytes
			p.drop(r.stream)
			delete(p.streams, r.stream)
		}
		return nil
	}
	if st == nil {
		st = newStream()
		st.first = number
		p.streams[r.stream] = st
	}
	st.bytes += int64(size)
	if st.broken != nil {
		return nil
	}
	if err := p.check(r, st); err != nil {
		st.broken = err
		p.drop(r.stream)
		return nil
	}
	st.head = r.events[len(r.events)-1].Position()
	p.events += int64(len(r.events))
	return p.write(r)
}

// check verifies that r follows what the stream holds.
func (p *replayer) check(r record, st *stream) *eventstore.ChainError {
	from := st.head
	from.Version = r.expected // decoding counts from there; that it is the head is checked with the first event
	if r.expected != st.head.Version {
		return &eventstore.ChainError{Stream: r.stream, Version: st.head.Version + 1,
			Reason: "the journal goes on after version " + strconv.FormatUint(uint64(r.expected), 10)}
	}
	var broken *eventstore.ChainError
	if errors.As(eventstore.VerifyChain(r.stream, from, r.events), &broken) {
		return broken
	}
	return nil
}

// write puts the events of r into the stream as the append script would.
func (p *replayer) write(r record) error {
	key := p.keys.Events(r.stream)
	var settled []string
	for _, event := range r.events {
		version := strconv.FormatUint(uint64(event.Version), 10)
		values := []string{"event", string(event.Data), "hash", string(event.Hash)}
		if _, err := p.db.XAdd(key, version+"-0", values); err != nil {
			return err
		}
		for _, id := range event.Operations {
			settled = append(settled, id, version)
		}
	}
	if len(settled) > 0 {
		p.db.HSet(p.keys.Operations(r.stream), settled...)
	}
	return nil
}

func (p *replayer) drop(name string) {
	p.db.Del(p.keys.Events(name))
	p.db.Del(p.keys.Operations(name))
}

// finish lists and marks the streams, and names the broken ones. Those are listed and marked too: whoever follows
// the marks meets the error and reports the graph.
func (p *replayer) finish(now time.Time) error {
	for name, st := range p.streams {
		if st.broken != nil {
			p.logger.Error("journal holds a broken stream; its graph is out of service, the others are not",
				zap.String("graphId", name), zap.Uint64("version", uint64(st.broken.Version)), zap.Error(st.broken))
		}
		if _, err := p.db.ZAdd(p.keys.GraphsOf(name), 0, name); err != nil {
			return err
		}
		if _, err := p.db.ZAdd(p.keys.GraphsActive(), float64(now.UnixMilli()), name); err != nil {
			return err
		}
	}
	p.progress.end()
	return nil
}

// keep says which records a compacted journal holds: those of the streams' present lives.
func (p *replayer) keep(number int64, r record) bool {
	st := p.streams[r.stream]
	return r.kind == kindAppend && st != nil && number >= st.first
}
