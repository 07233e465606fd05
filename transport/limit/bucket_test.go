package limit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a bucket told in another way: the moment at which it will be full.
type model struct {
	p    Policy
	full float64 // in tokens' time
}

func (m *model) take(now time.Duration, cost int) bool {
	at := now.Seconds() * m.p.Rate
	m.full = max(m.full, at)
	if level := float64(m.p.Burst) - (m.full - at); level+rounding < float64(min(cost, m.p.Burst)) {
		return false
	}
	m.full += float64(cost)
	return true
}

func drawPolicy(t *rapid.T) Policy {
	rate := rapid.SampledFrom([]float64{0.1, 0.5, 1, 3, 19.5, 20, 100, 1000, 12345}).Draw(t, "rate")
	return Policy{Rate: rate, Burst: rapid.IntRange(1, max(1, int(3*rate))).Draw(t, "burst")}
}

// TestBucketAgainstModel: what a bucket gives, a bucket told in another way gives.
func TestBucketAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		var b Bucket
		reference, now := model{p: p}, time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(p.Window())).Draw(t, "pause"))
			cost := rapid.IntRange(1, 2*p.Burst).Draw(t, "cost")
			wait := b.Take(p, now, cost)
			if got, want := wait == 0, reference.take(now, cost); got != want {
				t.Fatalf("at %v, cost %d of %+v: taken %v, want %v (level %v)", now, cost, p, got, want, b.Level(p, now))
			}
		}
	})
}

// TestBucketNeverGivesMoreThanItsRate: in no window is more taken than its time brings and a full bucket holds.
func TestBucketNeverGivesMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		var b Bucket
		var taken ledger
		now := time.Duration(0)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(p.Window()/10)).Draw(t, "pause"))
			cost := rapid.IntRange(1, p.Burst).Draw(t, "cost")
			if b.Take(p, now, cost) == 0 {
				taken.add(now, cost)
			}
		}
		taken.check(t, p, 0)
	})
}

// ledger keeps what was taken when.
type ledger []struct {
	at   time.Duration
	cost int
}

func (l *ledger) add(at time.Duration, cost int) {
	*l = append(*l, struct {
		at   time.Duration
		cost int
	}{at, cost})
}

// check looks at every window from one entry to another.
func (l ledger) check(t *rapid.T, p Policy, slack int) {
	t.Helper()
	for i := range l {
		total := 0
		for _, entry := range l[i:] {
			total += entry.cost
			span := entry.at - l[i].at
			if bound := p.Rate*span.Seconds() + float64(p.Burst+slack) + 0.001; float64(total) > bound {
				t.Fatalf("%d taken in %v from %v on, want at most %.1f of %+v", total, span, l[i].at, bound, p)
			}
		}
	}
}

// TestBucketKeepsItsWord: who waits as long as they were told gets what they want, and a moment before does not.
func TestBucketKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		var b Bucket
		now := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "start"))
		for b.Take(p, now, rapid.IntRange(1, p.Burst).Draw(t, "cost")) == 0 {
		}
		cost := rapid.IntRange(1, 2*p.Burst).Draw(t, "next")
		wait := b.wait(p, now, cost)
		if early := b; wait > 2*time.Microsecond && early.Take(p, now+wait*9/10, cost) == 0 {
			t.Fatalf("cost %d of %+v is taken before the wait of %v is over", cost, p, wait)
		}
		if again := b.Take(p, now+wait, cost); again != 0 {
			t.Fatalf("cost %d of %+v is refused after the wait of %v: %v more", cost, p, wait, again)
		}
	})
}

func TestBucketOfMoreThanItHolds(t *testing.T) {
	p := Policy{Rate: 10, Burst: 20}
	var b Bucket
	if wait := b.Take(p, 0, 50); wait != 0 {
		t.Fatalf("a full bucket makes 50 of 20 wait for %v, want 0", wait)
	}
	if level := b.Level(p, 0); level != -30 {
		t.Errorf("level is %v, want -30", level)
	}
	if wait := b.Take(p, 0, 1); wait != 3100*time.Millisecond {
		t.Errorf("the next one waits for %v, want 3.1s", wait)
	}
	if wait := b.Take(p, 0, 50); wait != 5*time.Second {
		t.Errorf("the next 50 wait for %v, want 5s, when the bucket is full", wait)
	}
}

func TestRatesOfAnySize(t *testing.T) {
	for _, rate := range []float64{1e-300, 1e-6, 0.3, 1e9, 1e300} {
		p := Every(rate)
		var b Bucket
		if p.Burst < 1 || p.Window() <= 0 || b.Take(p, 0, p.Burst) != 0 || b.Take(p, 0, p.most()) <= 0 {
			t.Errorf("%v a second: policy %+v, in %v, does not limit", rate, p, p.Window())
		}
	}
}
