package limit

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// retry is how long buckets are not asked for after a call that failed.
const retry = time.Second

// reach says whether the source of shared buckets can be reached.
type reach struct {
	away  atomic.Bool
	again atomic.Int64 // when to try again, while away
}

// isShared tells whether to go by the shared buckets.
func (l *Limiter) isShared() bool {
	return l.opts.Source != nil && !l.reach.away.Load() && !l.calls.ended.Load()
}

// isToTry tells one caller, once in a while, to try the source that is out of reach.
func (l *Limiter) isToTry(now time.Duration) bool {
	if l.opts.Source == nil {
		return false
	}
	again := l.reach.again.Load()
	return int64(now) >= again && l.reach.again.CompareAndSwap(again, int64(now+retry))
}

// lost notes that a call failed.
func (l *Limiter) lost(err error) {
	l.reach.again.Store(int64(l.opts.Now() + retry))
	if !l.reach.away.Swap(true) {
		l.opts.Logger.Warn("shared rates are out of reach: each process counts for itself", zap.String("limit", l.opts.Kind), zap.Error(err))
		l.opts.Away(true)
	}
}

// found notes that a call was answered.
func (l *Limiter) found() {
	if l.reach.away.Load() && l.reach.away.Swap(false) {
		l.opts.Logger.Info("shared rates are back", zap.String("limit", l.opts.Kind))
		l.opts.Away(false)
	}
}
