package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// attend has n subscribers of each kind follow the load's first graph, each over all of servers in turn.
func (l *load) attend(t testing.TB, n int, servers ...*server) *audience {
	a := gather(t, l.graphs[0])
	var places []string
	for _, s := range servers {
		places = append(places, s.base)
	}
	for i := range n {
		turned := append(append([]string{}, places[i%len(places):]...), places[:i%len(places)]...)
		a.add(false, turned...)
		a.add(true, turned...)
		a.addStream(turned...)
	}
	return a
}

// readOwn writes on one server and reads on another, again and again (I6).
func (l *load) readOwn(servers ...*server) {
	ctx, stop := context.WithCancel(context.Background())
	end := l.stop
	l.stop = func() { stop(); end() }
	l.group.Go(func() {
		for turn := 0; ctx.Err() == nil; turn++ {
			id := newID()
			writes, reads := servers[turn%len(servers)], servers[(turn+1)%len(servers)]
			r, err := writes.try(ctx, "POST", "/graphs/"+l.graphs[0]+"/command", encode(command("CREATE_NODE", object{"id": id})))
			if err != nil || r.status != 202 {
				pause(ctx, 20*time.Millisecond)
				continue
			}
			version := decode(r.body).version()
			r, err = reads.try(ctx, "GET", fmt.Sprintf("/graphs/%s/state?minVersion=%d", l.graphs[0], version), "")
			if err == nil && r.status == 200 && (decode(r.body).version() < version || !strings.Contains(string(r.body), id)) {
				l.offence("I6: %s is acknowledged at version %d, and the state is at %d without it", id, version, decode(r.body).version())
			}
			pause(ctx, 10*time.Millisecond)
		}
	})
}

// The process that a subscriber is connected to is killed, again and again, while all write and read.
func TestI4I6ServerProcessKilled(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	stays, dies := start(t, env...), start(t, env...)
	l := put(t, 1, stays, dies)
	l.readOwn(stays, dies)
	a := l.attend(t, 3, dies, stays)
	a.awaitLive(t)
	for range 3 {
		l.awaitMore(t, 100)
		dies.kill()
		pause(t.Context(), time.Second)
		dies.relaunch(t)
	}
	l.awaitMore(t, 40)
	l.verify(t, stays)
	a.verify(t, dies)
}

// The connections on which Redis tells of events are killed while events come: what was not told is read.
func TestI4PubSubKilled(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	one, two := start(t, "GRAPHY_REDIS_URL="+backing.URL), start(t, "GRAPHY_REDIS_URL="+backing.URL)
	client := backing.Client(t)
	l := put(t, 1, one, two)
	a := l.attend(t, 3, one, two)
	a.awaitLive(t)
	killed := int64(0)
	for range 20 {
		pause(t.Context(), 100*time.Millisecond)
		l.awaitMore(t, 10)
		count, err := client.Do(t.Context(), client.B().Arbitrary("CLIENT", "KILL", "TYPE", "pubsub").Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		killed += count
	}
	if killed < 20 {
		t.Errorf("%d connections were killed", killed)
	}
	l.verify(t, one)
	a.verify(t, two)
	for _, s := range a.subscribers {
		if s.joins.Load() > 1 {
			t.Errorf("subscriber %s was cut off by what happened behind the server: %d joins", s.client, s.joins.Load())
		}
	}
}

// The way from the server to Redis is cut, falls silent, and is slow.
func TestI4I6RedisAwayUnderSubscribers(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	between := startProxy(t, backing.Addr)
	s, other := start(t, "GRAPHY_REDIS_URL="+between.url), start(t, "GRAPHY_REDIS_URL="+backing.URL)
	l := put(t, 1, other)
	l.readOwn(other)
	a := l.attend(t, 3, s)
	a.awaitLive(t)
	for _, mode := range []mode{refusing, silent, deafening} {
		l.awaitMore(t, 30)
		between.set(mode)
		pause(t.Context(), 3*time.Second) // in which the subscribers hear of nothing
		between.reset()
		between.set(passing)
		s.awaitReady(t)
	}
	between.throttle(40 << 10)
	l.awaitMore(t, 60)
	between.throttle(0)
	l.awaitMore(t, 30)
	l.verify(t, other)
	a.verify(t, s)
}

// Subscribers read slowly, through a narrow pipe, what is written fast and large.
func TestI4SlowSubscribers(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=")
	narrow := startProxy(t, s.base[len("http://"):])
	graph := newGraph(t)
	base := s.fillSettled(t, graph, 5)
	slow, quick := gather(t, graph), gather(t, graph)
	for range 2 {
		slow.add(false, "http://"+narrow.addr)
		slow.add(true, "http://"+narrow.addr)
		slow.addStream("http://" + narrow.addr)
		quick.add(false, s.base)
	}
	slow.awaitLive(t)
	quick.awaitLive(t)
	memory := s.metric(t, "go_memstats_heap_inuse_bytes")
	narrow.throttle(64 << 10)
	const updates, size = 60, 100 << 10 // with the old values 12 MB for each
	var late time.Duration
	for i := range updates {
		begin := time.Now()
		version := s.accept(t, graph, "UPDATE_NODE", object{"nodeId": fmt.Sprint("n", i%5), "updates": object{"data": padding(size, i)}}).version()
		quick.awaitEach(t, "the quick ones have it", func(s *subscriber) bool { return s.version.Load() >= version })
		late = max(late, time.Since(begin))
	}
	if grown := s.metric(t, "go_memstats_heap_inuse_bytes") - memory; grown > 150<<20 {
		t.Errorf("the heap grew by %d MB", int(grown)>>20)
	}
	for _, one := range slow.subscribers {
		if at := one.version.Load(); at == base+updates {
			t.Errorf("the pipe is not narrow: a slow one is at version %d already", at)
		}
	}
	t.Logf("the quick ones had it after %v at most", late)
	narrow.throttle(0)
	quick.verify(t, s)
	slow.verify(t, s)
}

// padding returns a text of some size, a different one for each number.
func padding(size, number int) string {
	text := make([]byte, size)
	for i := range text {
		text[i] = 'a' + byte((i*7+number)%26)
	}
	return string(text)
}
