package redis

import (
	"context"
	_ "embed"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
)

//go:embed lua/mark.lua
var markSource string

//go:embed lua/settle.lua
var settleSource string

var (
	markScript   = rueidis.NewLuaScript(markSource)
	settleScript = rueidis.NewLuaScript(settleSource)
)

const (
	markEvery = 10 * time.Second
	maxMarks  = 50_000 // streams remembered as marked; forgetting one costs a mark
)

// marks remembers when this Store last marked a stream as active.
type marks struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (m *marks) fresh(stream string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.last[stream]
	return ok && time.Since(at) < markEvery
}

func (m *marks) set(stream string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil || len(m.last) >= maxMarks {
		m.last = map[string]time.Time{}
	}
	m.last[stream] = at
}

func (m *marks) forget(stream string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.last, stream)
}

// mark puts stream into the directory and on the Active list before an append to it, so that whatever crashes
// afterwards, the sweeper finds it. It asks Redis every markEvery; for a new stream always, and again next time,
// since a deletion by another process may be under way that takes it off.
func (s *Store) mark(ctx context.Context, stream string, isNew bool) error {
	if !isNew && s.marks.fresh(stream) {
		return nil
	}
	at := time.Now()
	err := s.read(ctx, "mark before append to", stream, func() error {
		if err := markScript.Exec(ctx, s.client, []string{s.keys.GraphsActive()}, []string{stream}).Error(); err != nil {
			return err
		}
		return s.client.Do(ctx, s.client.B().Zadd().Key(s.keys.GraphsOf(stream)).ScoreMember().ScoreMember(0, stream).Build()).Error()
	})
	if err != nil {
		return err
	}
	if !isNew {
		s.marks.set(stream, at)
	}
	return nil
}

// Active implements eventstore.Log. Since streams are marked every 10 s, let a mark grow older than that before
// settling it.
func (s *Store) Active(ctx context.Context, limit int) ([]eventstore.ActiveStream, error) {
	if limit <= 0 {
		return nil, nil
	}
	var scores []rueidis.ZScore
	err := s.read(ctx, "list active streams in", s.keys.GraphsActive(), func() (err error) {
		scores, err = s.client.Do(ctx, s.client.B().Zrange().Key(s.keys.GraphsActive()).Min("0").
			Max(strconv.Itoa(limit-1)).Withscores().Build()).AsZScores()
		return err
	})
	if err != nil {
		return nil, err
	}
	active := make([]eventstore.ActiveStream, len(scores))
	for i, score := range scores {
		active[i] = eventstore.ActiveStream{Stream: score.Member, Marked: time.UnixMilli(int64(score.Score))}
	}
	return active, nil
}

// Settle implements eventstore.Log.
func (s *Store) Settle(ctx context.Context, stream string, marked time.Time) error {
	return s.write(ctx, "settle", stream, func() error {
		return settleScript.Exec(ctx, s.client, []string{s.keys.GraphsActive()},
			[]string{stream, strconv.FormatInt(marked.UnixMilli(), 10)}).Error()
	})
}
