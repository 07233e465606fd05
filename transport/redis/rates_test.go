package redis

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
	"pgregory.net/rapid"

	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/transport/limit"
)

func TestTakeScript(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	key := server.Prefix(t) + "rate:user:u"
	const rate, burst = "10", "20"
	steps := []struct {
		name        string
		need, extra int
		at          int64   // µs
		want        []int64 // {taken, µs until full}
	}{
		{"first", 1, 0, 1_000_000, []int64{1, 100_000}},
		{"with extra", 1, 5, 1_000_000, []int64{6, 700_000}},
		{"what there is", 0, 100, 1_000_000, []int64{13, 2_000_000}},
		{"nothing left", 1, 100, 1_000_000, []int64{0, 2_000_000}},
		{"not yet", 1, 0, 1_099_000, []int64{0, 1_901_000}},
		{"one has come", 1, 100, 1_100_000, []int64{1, 2_000_000}},
		{"too much", 11, 0, 2_000_000, []int64{0, 1_100_000}},
		{"less is given", 9, 0, 2_000_000, []int64{9, 2_000_000}},
		{"full again", 0, 0, 9_000_000, []int64{0, 0}},
		{"a debt", 50, 10, 9_000_000, []int64{50, 5_000_000}},
		{"which is paid off first", 1, 0, 11_900_000, []int64{0, 2_100_000}},
		{"and is", 1, 0, 12_100_000, []int64{1, 2_000_000}},
		{"the clock was put back by a day", 1, 0, 12_100_000 - 86_400_000_000, []int64{0, 63_000_000}},
	}
	for _, step := range steps { // in order: each sees what the one before wrote
		args := []string{rate, burst, strconv.Itoa(step.need), strconv.Itoa(step.extra), strconv.FormatInt(step.at, 10)}
		got, err := takeScript.Exec(t.Context(), client, []string{key}, args).AsIntSlice()
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("%s: got %v, %v, want %v", step.name, got, err, step.want)
		}
	}
}

// TestI10RateKeysGo: a bucket that is full again is no key any more.
func TestI10RateKeysGo(t *testing.T) {
	server := redistest.Start(t)
	client, keys := server.Client(t), redis.Keys{Prefix: server.Prefix(t)}
	rates := NewRates(client, keys)
	if _, err := rates.Take(t.Context(), "user", "ann", limit.Policy{Rate: 100, Burst: 20}, 10, 0); err != nil {
		t.Fatal(err)
	}
	left, err := client.Do(t.Context(), client.B().Pttl().Key(keys.Rate("user", "ann")).Build()).AsInt64()
	if err != nil || left <= 0 || left > 101 {
		t.Fatalf("the key lives for %d ms, %v, want up to 100", left, err)
	}
	gone := func() bool {
		count, err := client.Do(t.Context(), client.B().Exists().Key(keys.Rate("user", "ann")).Build()).AsInt64()
		return err == nil && count == 0
	}
	for !gone() {
		if t.Context().Err() != nil {
			t.Fatal("the key stays")
		}
	}
}

// TestSharedRateOnRedis: processes with connections of their own, on a clock of the test's, let through no more than the
// rate, the burst and two portions each, and no less than what one process could have.
func TestSharedRateOnRedis(t *testing.T) {
	server := redistest.Start(t)
	clients := []rueidis.Client{server.Client(t), server.Client(t), server.Client(t)}
	rapid.Check(t, func(r *rapid.T) {
		policy := limit.Every(rapid.SampledFrom([]float64{2, 40, 1000}).Draw(r, "rate"))
		keys := redis.Keys{Prefix: server.Prefix(t)}
		var clock atomic.Int64
		clock.Store(int64(time.Hour))
		now := func() time.Duration { return time.Duration(clock.Load()) }
		var processes []*limit.Limiter
		var sources []*simulated
		for _, client := range clients {
			source := &simulated{rates: *NewRates(client, keys), now: now}
			sources = append(sources, source)
			processes = append(processes, limit.New(policy, limit.Options{Kind: "user", Source: source, Now: now}))
		}
		taken, start := 0, now()
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			clock.Add(rapid.Int64Range(0, int64(200*time.Millisecond)).Draw(r, "pause"))
			i := rapid.IntRange(0, len(processes)-1).Draw(r, "process")
			cost := rapid.IntRange(1, max(1, policy.Burst/10)).Draw(r, "cost")
			for range rapid.IntRange(1, 40).Draw(r, "tries") {
				if processes[i].Allow(t.Context(), "ann", cost).OK {
					taken += cost
				}
			}
			sources[i].settle()
		}
		for _, process := range processes {
			process.Close()
		}
		slack := 2 * int(policy.Rate/20) * len(processes)
		if bound := policy.Rate*(now()-start).Seconds() + float64(policy.Burst+slack); float64(taken) > bound+0.01 {
			r.Fatalf("%d taken in %v, want at most %.1f", taken, now()-start, bound)
		}
	})
}

// simulated are Rates on the test's clock.
type simulated struct {
	rates   Rates
	now     func() time.Duration
	running atomic.Int64
}

func (s *simulated) Take(ctx context.Context, kind, key string, p limit.Policy, need, extra int) (limit.Grant, error) {
	s.running.Add(1)
	defer s.running.Add(-1)
	rates := s.rates
	rates.clock = strconv.FormatInt(int64(s.now()/time.Microsecond), 10)
	return rates.Take(ctx, kind, key, p, need, extra)
}

// settle waits for the calls that are under way.
func (s *simulated) settle() {
	for s.running.Load() > 0 {
		runtime.Gosched()
	}
}

// TestSharedRateInRealTime: three processes that all flood for a second and a half get what the rate gives, on the
// Redis's own clock.
func TestSharedRateInRealTime(t *testing.T) {
	server := redistest.Start(t)
	keys, policy := redis.Keys{Prefix: server.Prefix(t)}, limit.Every(400)
	const span = 1500 * time.Millisecond
	var taken atomic.Int64
	var running sync.WaitGroup
	start := time.Now()
	for range 3 {
		l := limit.New(policy, limit.Options{Kind: "user", Source: NewRates(server.Client(t), keys)})
		t.Cleanup(l.Close)
		for range 2 {
			running.Go(func() {
				for time.Since(start) < span {
					if d := l.Allow(t.Context(), "ann", 1); d.OK {
						taken.Add(1)
					} else {
						time.Sleep(min(d.Wait, time.Millisecond)) // a flood, but one that leaves the processor to others
					}
				}
			})
		}
	}
	running.Wait()
	given := policy.Rate*time.Since(start).Seconds() + float64(policy.Burst)
	slack := 2 * 3 * policy.Rate / 20
	if got := float64(taken.Load()); got > given+slack || got < given*0.9-slack {
		t.Errorf("%v let through in %v, want %.0f, more or less %.0f", got, time.Since(start), given, slack)
	} else {
		t.Logf("%v let through in %v: the rate gives %.0f", got, time.Since(start).Round(time.Millisecond), given)
	}
}

// TestRedisAwayAndBack: while Redis is frozen or gone each process has the whole rate for itself, without waits but the
// first, and when it is back they share it again.
func TestRedisAwayAndBack(t *testing.T) {
	server := redistest.StartOwn(t)
	keys, policy := redis.Keys{Prefix: server.Prefix(t)}, limit.Policy{Rate: 1, Burst: 30}
	var back [2]chan bool
	var processes [2]*limit.Limiter
	for i := range processes {
		back[i] = make(chan bool, 10)
		processes[i] = limit.New(policy, limit.Options{Kind: "user", Source: NewRates(server.Client(t), keys),
			Away: func(away bool) { back[i] <- away }})
		t.Cleanup(processes[i].Close)
	}
	spend := func(i int, key string) (taken int) {
		for processes[i].Allow(t.Context(), key, 1).OK {
			taken++
		}
		return taken
	}
	if taken := spend(0, "one") + spend(1, "one"); taken < 30 || taken > 31 {
		t.Errorf("two processes together let through %d, want 30", taken)
	}
	for _, outage := range []struct {
		name       string
		begin, end func()
	}{{"frozen", server.Freeze, server.Thaw}, {"gone", server.Kill, func() { server.Restart(t) }}} {
		outage.begin()
		for i := range processes {
			if taken := spend(i, outage.name); taken < 30 || taken > 32 {
				t.Errorf("%s: process %d alone let through %d, want 30", outage.name, i, taken)
			}
			if away := <-back[i]; !away {
				t.Errorf("%s: process %d says it is back", outage.name, i)
			}
		}
		outage.end()
		for i := range processes {
			for tries := 0; len(back[i]) == 0; tries++ { // each second one attempt is made on behalf of a caller
				processes[i].Allow(t.Context(), fmt.Sprint("probe", tries), 1)
				time.Sleep(20 * time.Millisecond)
			}
			if away := <-back[i]; away {
				t.Errorf("%s: process %d is away again", outage.name, i)
			}
		}
		key := outage.name + " over"
		if taken := spend(0, key) + spend(1, key); taken < 30 || taken > 31 {
			t.Errorf("%s and back: two processes together let through %d, want 30", outage.name, taken)
		}
	}
}

// TestRatesOnMiniredis: what the Redis inside a process makes of the script.
func TestRatesOnMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	rates, policy := NewRates(client, redis.Keys{}), limit.Policy{Rate: 0.01, Burst: 3}
	for i, want := range []int{2, 1, 0} {
		grant, err := rates.Take(t.Context(), "user", "ann", policy, 1, 1-min(i, 1))
		if err != nil || grant.Tokens != want {
			t.Errorf("call %d: got %+v, %v, want %d tokens", i, grant, err, want)
		}
		if i == 2 && math.Abs(grant.Missing-3) > 0.1 {
			t.Errorf("an empty bucket lacks %v, want 3", grant.Missing)
		}
	}
}

// BenchmarkRate is a decision over a real Redis: of one busy user, and of many who each do something once in a while.
func BenchmarkRate(b *testing.B) {
	server := redistest.Start(b)
	source := NewRates(server.Client(b), redis.Keys{Prefix: server.Prefix(b)})
	for _, users := range []int{1, 1000, 20_000} {
		names := make([]string, users)
		for i := range names {
			names[i] = fmt.Sprint("user-", i)
		}
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			l := limit.New(limit.Policy{Rate: 1e6, Burst: 2e6}, limit.Options{Kind: "user", Source: source})
			defer l.Close()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				l.Allow(b.Context(), names[i%users], 1)
				i++
			}
		})
	}
}
