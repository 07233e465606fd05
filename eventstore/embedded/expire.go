package embedded

import (
	"context"
	"time"
)

const (
	expiryInterval = 5 * time.Second // how late a key may expire
	expiryShare    = 50              // but expiring takes no more than one part in so many of the time
)

// Run lets keys expire until ctx is done, and returns nil then. The server inside does not do that by itself, and
// looks at every key when told to, so it is told seldom.
func (s *Store) Run(ctx context.Context) error { return s.run(ctx, expiryInterval) }

func (s *Store) run(ctx context.Context, interval time.Duration) error {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		now := time.Now()
		s.server.FastForward(now.Sub(last))
		last = now
		timer.Reset(max(interval, expiryShare*time.Since(now)))
	}
}
