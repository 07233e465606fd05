package transport

import (
	"context"
	"time"
)

// keeperParts is into how many parts a round of keep is divided, so that pings are spread.
const keeperParts = 16

// keep looks after all sessions until ctx is done: it pings those that have said nothing for a while, and cuts those that
// do not answer, in rounds of a quarter of the time between pings. It is one goroutine for all; none has a timer.
func (w *sockets) keep(ctx context.Context) {
	ticker := time.NewTicker(max(w.limits.ping/4/keeperParts, time.Millisecond))
	defer ticker.Stop()
	start := time.Now()
	var left []*session // of this round
	for part := 0; ; part++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Since(start)
		w.clock.Store(int64(now))
		if part %= keeperParts; part == 0 {
			left = w.open()
			w.tidy(time.Now())
		}
		share := (len(left) + keeperParts - part - 1) / (keeperParts - part)
		for _, s := range left[:share] {
			s.check(now)
		}
		left = left[share:]
	}
}

// check pings the client if it has been silent for a while, and ends the connection if it stays silent.
func (s *session) check(now time.Duration) {
	silent := now - time.Duration(s.line.heard.Load())
	switch {
	case s.deaf.Load(): // it may be speaking; if it takes nothing either, writing will fail
	case silent >= s.sockets.limits.silence:
		s.cut()
	case silent >= s.sockets.limits.ping:
		s.control(pingFrame, nil)
	}
}
