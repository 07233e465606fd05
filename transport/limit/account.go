package limit

import "time"

// lapse is how long tokens of a portion are good for. Without it, a process that got its portion long ago could add it
// to the burst of the others; a key that is asked for within it counts as busy.
const lapse = time.Second

// account is what one process knows and holds of a shared bucket.
type account struct {
	// shared is at least as full as the shared bucket, since others take from that. Where there is none, or it is out of
	// reach, it is the bucket.
	shared Bucket

	spare   int           // tokens taken and not spent; below zero: spent on credit and not taken yet
	touched time.Duration // when spare last changed
	asked   time.Duration // when the shared bucket was last asked
	pause   time.Duration // until when it is not asked ahead of need, since it had too little
	waiting int           // the cost of those who found a call under way, and will need another one
	flight  *flight       // the call that is under way, nil for none
}

// verdict is what becomes of an attempt to spend.
type verdict int

const (
	granted verdict = iota
	refused         // and is after a wait
	unsure          // the shared bucket must be asked
)

// spend takes cost from what the process holds, or on credit.
func (a *account) spend(p Policy, now time.Duration, cost int) (verdict, time.Duration) {
	if a.spare > 0 && now-a.touched > lapse {
		a.spare = 0
	}
	need := cost - a.spare
	if need <= 0 {
		a.pay(now, cost)
		return granted, 0
	}
	if wait := a.shared.wait(p, now, need); wait > 0 {
		return refused, wait
	}
	if need <= p.portion() {
		a.pay(now, cost)
		return granted, 0
	}
	return unsure, 0
}

func (a *account) pay(now time.Duration, cost int) {
	a.spare -= cost
	a.touched = now
}

// spendAlone takes cost from a bucket that is nobody else's.
func (a *account) spendAlone(p Policy, now time.Duration, cost int) time.Duration {
	need := cost - a.spare
	if need <= 0 {
		a.pay(now, cost)
		return 0
	}
	wait := a.shared.Take(p, now, need)
	if wait == 0 {
		a.spare, a.touched = 0, now
	}
	return wait
}

// isDue tells whether so much was spent on credit that it is time to ask the shared bucket.
func (a *account) isDue(p Policy, now time.Duration) bool {
	return a.flight == nil && a.spare < 0 && -2*a.spare >= p.portion() && now >= a.pause
}

// ask says what to take from the shared bucket for who needs cost, 0 for nobody: what they lack, and on top of it what
// is owed and what others wait for, with a portion for a busy key.
func (a *account) ask(p Policy, now time.Duration, cost int) (need, extra int) {
	owed := max(0, -a.spare)
	if need = max(0, cost-a.spare); cost == 0 {
		need, extra = 0, owed
	}
	extra += a.waiting
	a.waiting = 0
	if a.asked > 0 && now-a.asked < lapse {
		extra += p.portion()
	}
	a.asked = now
	return need, extra
}

// receive takes in what the shared bucket gave for a question asked at some time. A bucket that ran dry is not asked ahead
// of need until it will have a portion.
func (a *account) receive(p Policy, at time.Duration, asked int, g Grant) {
	a.spare += g.Tokens
	a.touched = max(a.touched, at)
	a.shared = Bucket{missing: g.Missing, at: at}
	if portion := float64(p.portion()); g.Tokens < asked && a.shared.Level(p, at) < portion {
		a.pause = at + p.time(portion)
	}
}

// remaining is how much could be spent now, at most.
func (a *account) remaining(p Policy, now time.Duration) int {
	return min(max(0, int(a.shared.Level(p, now)+rounding)+a.spare), p.Burst)
}
