package limit

import "time"

// Bucket is a token bucket. The zero value is full.
type Bucket struct {
	missing float64 // tokens that a full bucket would hold more, at that time
	at      time.Duration
}

// rounding is what a sum of fractions of tokens may be off: who waits as long as they were told is not to be refused
// for it.
const rounding = 1e-6

// Level returns how many tokens there are; below zero: how many are owed.
func (b *Bucket) Level(p Policy, now time.Duration) float64 {
	return float64(p.Burst) - max(0, b.missing-p.Rate*(now-b.at).Seconds())
}

// Take takes cost tokens and returns 0 or, if there are too few, takes none and returns how long it is until there
// will be enough.
func (b *Bucket) Take(p Policy, now time.Duration, cost int) time.Duration {
	wait := b.wait(p, now, cost)
	if wait == 0 {
		level := b.Level(p, now)
		b.missing, b.at = float64(p.Burst)-level+float64(cost), now
	}
	return wait
}

// give puts tokens back that were taken for nothing.
func (b *Bucket) give(p Policy, now time.Duration, tokens int) {
	b.missing, b.at = max(0, float64(p.Burst)-b.Level(p, now)-float64(tokens)), now
}

// wait returns how long it is until cost can be taken. What costs more than a full bucket waits for a full one.
func (b *Bucket) wait(p Policy, now time.Duration, cost int) time.Duration {
	lacking := float64(min(cost, p.Burst)) - b.Level(p, now)
	if lacking <= rounding {
		return 0
	}
	return p.time(lacking)
}
