package limit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// TestSharedRateHoldsOverProcesses: whatever processes do with a key, together they let through no more than the rate,
// the burst, and two portions each.
func TestSharedRateHoldsOverProcesses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		var c clock
		c.move(time.Hour)
		shared := newPool(c.now)
		processes := make([]*Limiter, rapid.IntRange(1, 4).Draw(t, "processes"))
		for i := range processes {
			processes[i] = New(p, Options{Source: shared, Now: c.now})
		}
		var taken ledger
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c.move(time.Duration(rapid.Int64Range(0, int64(p.Window()/8)).Draw(t, "pause")))
			l := processes[rapid.IntRange(0, len(processes)-1).Draw(t, "process")]
			cost := rapid.IntRange(1, max(1, p.Burst/4)).Draw(t, "cost")
			for range rapid.SampledFrom([]int{1, 1, 10, 200}).Draw(t, "tries") {
				if allow(l, "k", cost) {
					taken.add(c.now(), cost)
				}
			}
			if rapid.Bool().Draw(t, "settled") {
				settle(l)
			}
		}
		for _, l := range processes {
			l.Close()
		}
		taken.check(t, p, 2*p.portion()*len(processes))
	})
}

// TestSharedRateIsGiven: processes that want more than the rate get it, among them, nearly whole.
func TestSharedRateIsGiven(t *testing.T) {
	for _, p := range []Policy{Every(1000), Every(100), Every(30), Every(5)} {
		t.Run(fmt.Sprint(p.Rate), func(t *testing.T) {
			var c clock
			shared := newPool(c.now)
			processes := []*Limiter{New(p, Options{Source: shared, Now: c.now}), New(p, Options{Source: shared, Now: c.now})}
			const span = 20 * time.Second
			taken := 0
			for ; c.now() < span; c.move(2 * time.Millisecond) {
				for _, l := range processes {
					for range 2 {
						if allow(l, "k", 1) {
							taken++
						}
					}
					settle(l)
				}
			}
			want := p.Rate*span.Seconds() + float64(p.Burst)
			if got := float64(taken); got < want*0.97 || got > want+float64(4*p.portion()) {
				t.Errorf("got %v through in %v, want about %v", got, span, want)
			}
			// 2 processes, 20 portions a second: most decisions are made without asking, and so is the refusal of a flood.
			if calls := shared.calls.Load(); p.portion() > 0 && calls > 2*2*portionsEach*int64(span.Seconds()) {
				t.Errorf("%d calls in %v, want at most %d a second", calls, span, 4*portionsEach)
			}
		})
	}
}

func TestRefusedWaitIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		var c clock
		l := New(p, Options{Source: newPool(c.now), Now: c.now})
		defer l.Close()
		cost := rapid.IntRange(1, 2*p.Burst).Draw(t, "cost")
		for allow(l, "k", rapid.IntRange(1, p.Burst).Draw(t, "first")) {
		}
		settle(l)
		for tries := 0; ; tries++ {
			d := l.Allow(context.Background(), "k", cost)
			if d.OK {
				return
			}
			if d.Wait <= 0 || tries > 3 {
				t.Fatalf("try %d for %d of %+v: wait %v", tries, cost, p, d.Wait)
			}
			c.move(d.Wait)
		}
	})
}

var errAway = errors.New("away")

// TestOutOfReach: without shared buckets each process counts for itself, without a wait, and returns to them.
func TestOutOfReach(t *testing.T) {
	var c clock
	shared, p := newPool(c.now), Every(100)
	var away []bool
	l := New(p, Options{Source: shared, Now: c.now, Away: func(a bool) { away = append(away, a) }})
	defer l.Close()
	shared.set(errAway)
	taken := 0
	for range 1000 {
		if allow(l, "k", 1) {
			taken++
		}
	}
	settle(l)
	if taken != p.Burst {
		t.Errorf("got %d through while the source is away, want the whole burst of %d", taken, p.Burst)
	}
	if calls := shared.calls.Load(); calls > 2 {
		t.Errorf("%d calls to a source that is away, want 1 or 2", calls)
	}
	c.move(500 * time.Millisecond)
	taken = 0
	for range 1000 {
		if allow(l, "k", 1) {
			taken++
		}
	}
	if taken != 50 {
		t.Errorf("got %d through in half a second alone, want 50", taken)
	}
	shared.set(nil)
	c.move(retry)
	allow(l, "k", 1)
	settle(l)
	if len(away) != 2 || !away[0] || away[1] {
		t.Fatalf("told %v, want away and back", away)
	}
	before := shared.calls.Load()
	c.move(2 * time.Second)
	for range 50 {
		allow(l, "k", 1)
		settle(l)
	}
	if shared.calls.Load() == before {
		t.Error("the source is back, but is not asked")
	}
}

// TestHangingSourceCostsOneWait: who finds a source that does not answer waits once, and nobody after.
func TestHangingSourceCostsOneWait(t *testing.T) {
	shared := newPool(func() time.Duration { return 0 })
	shared.block = make(chan struct{})
	l := New(Every(10), Options{Source: shared})
	defer l.Close()
	start := time.Now()
	if !allow(l, "k", 1) || time.Since(start) < patience/2 {
		t.Errorf("first decision after %v, want OK after %v", time.Since(start), patience)
	}
	start = time.Now()
	for i := range 10 {
		if !allow(l, fmt.Sprint(i), 1) {
			t.Errorf("key %d is refused", i)
		}
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("ten more decisions took %v, want no wait", took)
	}
}

func TestWhoIsGoneDoesNotWait(t *testing.T) {
	shared := newPool(func() time.Duration { return 0 })
	shared.block = make(chan struct{})
	l := New(Every(10), Options{Source: shared})
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := l.Allow(ctx, "k", 1); d.OK || d.Wait <= 0 {
		t.Errorf("got %+v, want a refusal", d)
	}
	close(shared.block)
}

// TestHotKeyHarmsNoOther: a key that is flooded is refused, and others are as if it were not there.
func TestHotKeyHarmsNoOther(t *testing.T) {
	var c clock
	shared, p := newPool(c.now), Every(100)
	l := New(p, Options{Source: shared, Now: c.now})
	defer l.Close()
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 4 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					allow(l, "hot", 1)
				}
			}
		})
	}
	var slowest time.Duration
	for i := range 1000 {
		start := time.Now()
		if !allow(l, fmt.Sprint("calm", i%10), 1) {
			t.Fatalf("decision %d of a calm key is a refusal", i)
		}
		slowest = max(slowest, time.Since(start))
	}
	close(stop)
	flood.Wait()
	if slowest > patience {
		t.Errorf("the slowest decision of a calm key took %v", slowest)
	}
	for range p.Burst + 1 {
		allow(l, "hot", 1)
	}
	settle(l)
	if allow(l, "hot", 1) {
		t.Error("the hot key is let through, want a refusal: its clock stands still")
	}
}

// TestHerdIsServedByFewCalls: many who come at once to a key of which nothing is held do not each ask.
func TestHerdIsServedByFewCalls(t *testing.T) {
	shared := newPool(func() time.Duration { return 0 })
	shared.block = make(chan struct{})
	l := New(Policy{Rate: 10, Burst: 1000}, Options{Source: shared, Now: func() time.Duration { return time.Hour }})
	defer l.Close()
	var herd sync.WaitGroup
	var served atomic.Int64
	for range 1000 {
		herd.Go(func() {
			if allow(l, "k", 1) {
				served.Add(1)
			}
		})
	}
	waiting := func() int {
		total := 0
		for i := range l.shards {
			l.shards[i].mu.Lock()
			if a := l.shards[i].newer["k"]; a != nil {
				total += a.waiting
			}
			l.shards[i].mu.Unlock()
		}
		return total
	}
	for waiting() < 999 {
		runtime.Gosched()
	}
	close(shared.block)
	herd.Wait()
	if served.Load() != 1000 {
		t.Errorf("%d of 1000 served, want all: that is the burst", served.Load())
	}
	if calls := shared.calls.Load(); calls > 3 {
		t.Errorf("%d calls for 1000 at once, want 2 or 3", calls)
	}
}

// TestKeysAreBounded: many keys take a bounded memory, and those of nobody go.
func TestKeysAreBounded(t *testing.T) {
	var c clock
	l := New(Every(10), Options{Now: c.now, Keys: 10_000})
	before := heap()
	for i := range 300_000 {
		if !allow(l, fmt.Sprint("user-", i), 1) {
			t.Fatalf("user %d is refused", i)
		}
	}
	if keys := l.Keys(); keys > 10_000+2*shards {
		t.Errorf("%d keys are known, want at most 10,000", keys)
	}
	if used := heap() - before; used > 8<<20 {
		t.Errorf("%d bytes are held for 10,000 keys", used)
	}
	for range 3 {
		c.move(11 * time.Second)
		allow(l, "busy", 1)
		l.Sweep()
	}
	if keys := l.Keys(); keys != 1 {
		t.Errorf("%d keys are known after a while, want the busy one", keys)
	}
	runtime.KeepAlive(l)
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestI10NoCallAfterClose: Close waits for calls, and begins no others; decisions go on.
func TestI10NoCallAfterClose(t *testing.T) {
	defer goleak.VerifyNone(t)
	shared := newPool(func() time.Duration { return 0 })
	l := New(Every(1000), Options{Source: shared})
	for range 100 {
		allow(l, "k", 1)
	}
	l.Close()
	calls := shared.calls.Load()
	for range 1000 {
		if !allow(l, "k", 1) {
			t.Fatal("refused after Close")
		}
	}
	l.Close()
	if shared.calls.Load() != calls {
		t.Error("a call after Close")
	}
}

// TestReturned: what was taken for nothing can be taken again, and no more than that.
func TestReturned(t *testing.T) {
	var c clock
	for _, p := range []Policy{Every(5), Every(100)} {
		for name, source := range map[string]Source{"alone": nil, "shared": newPool(c.now)} {
			l := New(p, Options{Source: source, Now: c.now})
			for range 20 {
				if !allow(l, "k", p.Burst) {
					t.Fatalf("%s: the burst of %+v is not there again", name, p)
				}
				settle(l)
				l.Return("k", p.Burst)
			}
			if !allow(l, "k", p.Burst) || allow(l, "k", 1) {
				t.Errorf("%s: more, or less, than the burst of %+v", name, p)
			}
			l.Close()
		}
	}
}
