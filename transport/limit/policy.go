// Package limit says how often something may be done: token buckets, of one process or shared by several.
//
// A bucket holds up to Policy.Burst tokens and gains Policy.Rate of them a second; doing something takes its cost out of
// it, and is refused where there is less. Something that costs more than a full bucket holds takes a full one and leaves
// a debt, which is paid off before anything else is done: so nothing is impossible for ever, and in the long run
// nothing is faster than the rate. A debt is what comes in within a minute, at most.
//
// A Limiter decides for many keys. Where processes share buckets, it does not ask for each decision: it takes tokens in
// portions, spends them here, and starts on credit of one portion, so that a decision is a matter of memory and the
// shared bucket is asked in the background. Only who has used up portion and credit waits for an answer. A portion is
// what the rate gives in 50 ms. Over any time t, P processes let through at most Rate×t + Burst + 2×P portions of one
// key; at rates below 20 a second there are no portions, and each decision asks. While the shared buckets are out of
// reach, each process has whole buckets of its own.
//
// What is pure (Bucket, account) takes the time as a duration since some fixed moment. A Limiter is safe for concurrent
// use; the others belong to whoever holds them. What is limited, and what is said to who is refused, is left to package
// transport.
package limit

import (
	"math"
	"time"
)

// Policy is how much of something there may be. The zero value allows nothing; see IsOff.
type Policy struct {
	Rate  float64 // tokens a second
	Burst int     // tokens at once, at least 1
}

// Every returns the policy of a rate a second, from one in eleven days to a thousand million, whose burst is what two
// seconds give, at least one.
func Every(rate float64) Policy {
	rate = min(max(rate, 1e-6), 1e9)
	return Policy{Rate: rate, Burst: max(1, int(math.Ceil(2*rate)))}
}

// IsOff tells whether the policy is the zero one or of no rate, which a caller takes for "no limit".
func (p Policy) IsOff() bool { return p.Rate <= 0 }

// Window is how long an empty bucket takes to fill.
func (p Policy) Window() time.Duration { return p.time(float64(p.Burst)) }

// time is how long so many tokens take to come, rounded up.
func (p Policy) time(tokens float64) time.Duration {
	return time.Duration(math.Ceil(tokens / p.Rate * float64(time.Second)))
}

// most is the highest cost that is counted.
func (p Policy) most() int { return p.Burst + int(60*p.Rate) }

// portionsEach is how many portions there are in what one second gives.
const portionsEach = 20

// portion is how many tokens a process takes from a shared bucket ahead of need, and spends on credit.
func (p Policy) portion() int { return int(p.Rate / portionsEach) }
