package redis

import (
	"math/rand/v2"
	"time"
)

// longestProbe is how many times the first wait the longest one is.
const longestProbe = 5

// probing says when a Tail to which nothing comes looks at its stream: messages may have been lost. The longer nothing
// has come and nothing was found, the less often.
type probing struct {
	first time.Duration
	wait  time.Duration // 0: first
}

// next returns the time to wait, less a random part of it, so that Tails that begin together do not look together.
func (p *probing) next() time.Duration {
	wait := max(p.wait, p.first)
	return wait - rand.N(wait/8+1)
}

// heard takes note of an event, wherever it came from.
func (p *probing) heard() { p.wait = p.first }

// silent takes note that the time has passed and nothing came.
func (p *probing) silent() { p.wait = min(2*max(p.wait, p.first), longestProbe*p.first) }
