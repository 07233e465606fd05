package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// awaitTrouble waits until commands are refused or in doubt, then for a while longer, so that everybody is in it.
func (l *load) awaitTrouble(t testing.TB, s *server) {
	t.Helper()
	before := l.count("unavailable")
	await(t, 15*time.Second, "commands get 503", func() bool { return l.count("unavailable") >= before+10 })
	if r := s.get(t, "/healthz"); r.status != http.StatusOK {
		t.Errorf("/healthz while Redis is away: %v", r)
	}
	if r := s.get(t, "/readyz"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("/readyz while Redis is away: %v", r)
	}
	begin := time.Now()
	r := s.get(t, "/graphs/"+newGraph(t)+"/state")
	if took := time.Since(begin); r.status != 503 || took > callLimit {
		t.Errorf("state while Redis is away, after %v: %v", took, r)
	}
}

func TestRedisStopped(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	s := start(t, "GRAPHY_REDIS_URL="+backing.URL)
	l := put(t, 2, s)
	for range 2 {
		l.awaitMore(t, 200)
		backing.Stop()
		l.awaitTrouble(t, s)
		backing.Restart(t)
		s.awaitReady(t)
	}
	l.awaitMore(t, 200)
	l.verify(t, s)
}

func TestRedisFrozen(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	s := start(t, "GRAPHY_REDIS_URL="+backing.URL)
	l := put(t, 2, s)
	l.awaitMore(t, 200)
	backing.Freeze()
	l.awaitTrouble(t, s)
	backing.Thaw()
	l.awaitMore(t, 200)
	// Thawed before anybody gives up: what was in flight is answered late, not twice.
	backing.Freeze()
	pause(context.Background(), 700*time.Millisecond)
	backing.Thaw()
	l.awaitMore(t, 200)
	l.verify(t, s)
}

func TestRedisCutOff(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	between := startProxy(t, backing.Addr)
	s := start(t, "GRAPHY_REDIS_URL="+between.url)
	l := put(t, 2, s)
	for range 10 { // connections lost in the midst of calls
		l.awaitMore(t, 30)
		between.reset()
	}
	for _, mode := range []mode{refusing, silent, deafening} {
		l.awaitMore(t, 100)
		between.set(mode)
		l.awaitTrouble(t, s)
		if mode != refusing {
			between.reset()
		}
		between.set(passing)
		s.awaitReady(t)
	}
	l.awaitMore(t, 200)
	l.verify(t, s)
}

func TestServerStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	backing.Stop()
	s := startUnready(t, "GRAPHY_REDIS_URL="+backing.URL)
	if r := s.get(t, "/healthz"); r.status != http.StatusOK {
		t.Errorf("/healthz: %v", r)
	}
	if r := s.get(t, "/readyz"); r.status != http.StatusServiceUnavailable || len(r.object(t).list("reasons")) == 0 {
		t.Errorf("/readyz: %v", r)
	}
	graph := newGraph(t)
	begin := time.Now()
	s.refused(t, s.post(t, graph, command("CREATE_NODE", object{"id": "a"})), 503, "unavailable")
	if took := time.Since(begin); took > callLimit {
		t.Errorf("the refusal took %v", took)
	}
	for _, path := range []string{"/state", "/changes", "/nodes", "/stats", "/operations/x"} {
		begin := time.Now()
		s.refused(t, s.get(t, "/graphs/"+graph+path), 503, "unavailable")
		if took := time.Since(begin); took > callLimit {
			t.Errorf("%s took %v", path, took)
		}
	}
	if text := s.output.String(); !strings.Contains(text, "NOT READY") {
		t.Errorf("the start-up text does not tell: %s", text)
	}
	backing.Restart(t)
	s.awaitReady(t)
	s.accept(t, graph, "CREATE_NODE", object{"id": "a"})
	s.fold(t, graph)
}

func TestEvictingRedisIsRefused(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb")
	s := startUnready(t, "GRAPHY_REDIS_URL="+backing.URL)
	r := s.get(t, "/readyz")
	if r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "noeviction") {
		t.Errorf("/readyz: %v", r)
	}
	if text := s.output.String(); !strings.Contains(text, "NOT READY") || !strings.Contains(text, "noeviction") {
		t.Errorf("the start-up text does not tell: %s", text)
	}
	for range 3 { // and it stays so
		if r := s.get(t, "/readyz"); r.status != http.StatusServiceUnavailable {
			t.Errorf("/readyz later: %v", r)
		}
	}
}
