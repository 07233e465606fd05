package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/redis"
)

// A replayer builds the streams, their bases and operations, the directory and the marks of activity in a Redis that is
// not serving yet. All replayed streams are marked active, because their read models have to be built anew.
type replayer struct {
	db       *miniredis.RedisDB
	keys     redis.Keys
	streams  map[string]*stream
	logger   *zap.Logger
	progress progress

	lives   map[string]*life // by present name
	records int64
	events  int64
	dead    int64 // bytes of records without which the journal would come to the same
}

// open replays the journal at path, compacts it if most of it is dead, and returns it ready to append.
func (p *replayer) open(ctx context.Context, path string) (*journal, error) {
	j, err := p.replay(ctx, path)
	if err != nil || !worthCompacting(p.dead, j.end) {
		return j, err
	}
	return p.compact(j, path)
}

func (p *replayer) replay(ctx context.Context, path string) (*journal, error) {
	started := time.Now()
	p.lives = map[string]*life{}
	visit := func(r record, size int, read int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.progress.show(read)
		p.apply(r, size)
		return nil
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
	return j, nil
}

// compact swaps the journal for one without what is dead. If there is no room for that, the old one goes on.
func (p *replayer) compact(old *journal, path string) (*journal, error) {
	temporary, err := compactJournal(old, path, p.survivors())
	if err != nil {
		p.logger.Warn("journal could not be rid of what was deleted and trimmed; going on with it as it is",
			zap.String("file", path), zap.Error(err))
		return old, nil
	}
	if err := errors.Join(old.close(), installFile(temporary, path)); err != nil {
		return nil, err // which file bears the name is not certain, so neither may be written to
	}
	j, err := openJournal(path, p.logger, func(int64) {}, func(record, int, int64) error { return nil })
	if err == nil {
		p.logger.Info("journal rid of what was deleted and trimmed", zap.String("file", path),
			zap.Int64("before", old.end), zap.Int64("bytes", j.end))
	}
	return j, err
}

// apply is the visit of one record.
func (p *replayer) apply(r record, size int) {
	number := p.records
	p.records++
	switch r.kind {
	case kindDelete:
		p.dead += int64(size)
		p.drop(r.stream)
		return
	case kindRename:
		p.rename(number, r, size)
		return
	}
	l := p.lives[r.stream]
	if l == nil {
		l = newLife(number)
		p.lives[r.stream] = l
	}
	l.bytes += int64(size)
	if l.broken != nil {
		return
	}
	dead, err := l.take(number, r, size)
	if err != nil {
		l.giveUp(err)
		return
	}
	p.dead += dead
	l.bytes -= dead
}

// drop ends the life of that name, if there is one.
func (p *replayer) drop(name string) {
	if l := p.lives[name]; l != nil {
		p.dead += l.bytes
		delete(p.lives, name)
	}
}

// rename puts the life of one name in the place of another one.
func (p *replayer) rename(number int64, r record, size int) {
	p.drop(r.target)
	l := p.lives[r.stream]
	if l == nil {
		l = newLife(number)
		l.giveUp(&eventstore.ChainError{Version: 1, Reason: "the journal puts content in its place that it does not hold"})
	}
	if l.broken != nil {
		l.broken.Stream = r.target
	}
	delete(p.lives, r.stream)
	p.lives[r.target] = l
	l.made, l.first = r.stream, number+1
	l.bytes += int64(size)
}

// finish puts the streams into the Redis, lists and marks them, and names the broken ones. Those are listed and marked
// too: whoever follows the marks meets the error and reports the graph.
func (p *replayer) finish(now time.Time) error {
	for name, l := range p.lives {
		if isRewriting(name) { // never put in place
			p.drop(name)
			continue
		}
		if l.broken == nil {
			if err := l.check(name); err != nil {
				l.giveUp(err)
			}
		}
		if l.broken != nil {
			p.logger.Error("journal holds a broken stream; its graph is out of service, the others are not",
				zap.String("graphId", name), zap.Uint64("version", uint64(l.broken.Version)), zap.Error(l.broken))
		}
		p.streams[name] = l.stream
		if err := p.pour(name, l); err != nil {
			return fmt.Errorf("replay %q: %w", name, err)
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

// pour writes a life to the keys as the scripts would have, and lets go of it.
func (p *replayer) pour(name string, l *life) error {
	key := p.keys.Events(name)
	if l.base.Version > 0 {
		version := strconv.FormatUint(uint64(l.base.Version), 10)
		p.db.HSet(p.keys.Base(name), "version", version, "hash", string(l.base.Hash), "data", string(l.base.Data))
		if len(l.held) == 0 { // something has to stand at the head
			if _, err := p.db.XAdd(key, version+"-0", []string{"base", "", "hash", string(l.base.Hash)}); err != nil {
				return err
			}
		}
	}
	for i, event := range l.held {
		version := l.floor.Version + eventstore.Version(i) + 1
		if _, err := p.db.XAdd(key, strconv.FormatUint(uint64(version), 10)+"-0", event.values); err != nil {
			return err
		}
	}
	p.events += int64(len(l.held))
	if len(l.index) > 0 {
		settled := make([]string, 0, 2*len(l.index))
		for id, version := range l.index {
			settled = append(settled, id, strconv.FormatUint(uint64(version), 10))
		}
		p.db.HSet(p.keys.Operations(name), settled...)
	}
	l.held, l.index, l.base = nil, nil, eventstore.Base{}
	return nil
}
