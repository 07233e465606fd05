package upkeep_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	models "graphy/projection/redis"
	"graphy/projection/upkeep"
)

// midway is a log to which something happens before one of the calls that change it.
type midway struct {
	log
	left int // calls till then
	act  func()
}

func (m *midway) pass() {
	if m.left--; m.left == 0 {
		m.act()
	}
}

func (m *midway) SetBase(ctx context.Context, graph string, base eventstore.Base) error {
	m.pass()
	return m.log.SetBase(ctx, graph, base)
}

func (m *midway) Trim(ctx context.Context, graph string, oldest []eventstore.Event) error {
	m.pass()
	return m.log.Trim(ctx, graph, oldest)
}

func (m *midway) Rewrite(ctx context.Context, graph string, base eventstore.Base) (eventstore.Rewriting, error) {
	m.pass()
	w, err := m.log.Rewrite(ctx, graph, base)
	return &midwayRewriting{w, m}, err
}

type midwayRewriting struct {
	eventstore.Rewriting
	m *midway
}

func (w *midwayRewriting) Write(ctx context.Context, events []eventstore.Event) error {
	w.m.pass()
	return w.Rewriting.Write(ctx, events)
}

func (w *midwayRewriting) Commit(ctx context.Context, expected eventstore.Position) (bool, error) {
	w.m.pass()
	return w.Rewriting.Commit(ctx, expected)
}

// acts are what is done while Redis fails: each to a graph g of 900 events, of which the newest 100 are kept by retain;
// what it comes to is told by how many events of g, and of its copy h, the log holds.
func acts(t *testing.T, events []eventstore.Event, file []byte) map[string]struct {
	prepare func(s *site)
	act     func(s *site) error
	g, h    int
} {
	return map[string]struct {
		prepare func(s *site)
		act     func(s *site) error
		g, h    int
	}{
		"retain": {nil, func(s *site) error {
			_, err := s.keeper.Retain(t.Context(), "g", upkeep.Policy{Events: 100}, false)
			return err
		}, 100, 0},
		"restore": {func(s *site) { s.retain(t, "g", upkeep.Policy{Events: 100}) }, func(s *site) error {
			_, err := s.keeper.Restore(t.Context(), "g", false)
			return err
		}, 900, 0},
		"copy": {nil, func(s *site) error {
			_, err := s.keeper.Copy(t.Context(), "g", "h", 0)
			if head, failure := s.log.Head(t.Context(), "h"); failure == nil && head == events[899].Position() {
				return nil
			}
			return err
		}, 900, 900},
		"skip": {func(s *site) {
			spoiled := append([]eventstore.Event(nil), events...)
			spoiled[899].Data = []byte("x")
			s.rewrite(t, "g", spoiled)
		}, func(s *site) error {
			_, err := s.keeper.Skip(t.Context(), "g", 900, upkeep.SkipOptions{Reason: "r"})
			return err
		}, 900, 0},
		"import": {func(s *site) { s.do(t, s.keys.Events("g"), "DEL") }, func(s *site) error {
			return s.keeper.Import(t.Context(), bytes.NewReader(file), upkeep.ImportOptions{}, nil)
		}, 900, 0},
	}
}

// history returns 900 events, and an archive of them.
func history(t testing.TB) ([]eventstore.Event, []byte) {
	w := inMemory()
	w.write(t, "g", 1, 900)
	return w.all(t, w.log, "g"), w.export(t, "g")
}

// TestKeepingWhileRedisFails: it is full, read only or restarted in the middle of each act. Whatever that comes to, the
// log is the one before or the one after, and the act succeeds when it is done again.
func TestKeepingWhileRedisFails(t *testing.T) {
	t.Parallel()
	events, file := history(t)
	server := redistest.StartOwn(t)
	client := server.Client(t)
	configure := func(command ...string) {
		t.Helper()
		if err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	faults := map[string]struct{ begin, end func() }{
		"full":      {func() { configure("CONFIG", "SET", "maxmemory", "1") }, func() { configure("CONFIG", "SET", "maxmemory", "0") }},
		"read only": {func() { configure("REPLICAOF", "127.0.0.1", "1") }, func() { configure("REPLICAOF", "NO", "ONE") }},
		"restarted": {func() { server.Restart(t) }, func() {}},
	}
	for fault, how := range faults {
		for act, what := range acts(t, events, file) {
			for _, at := range []int{1, 3} {
				s := siteOn(t, server)
				s.rewrite(t, "g", events)
				s.follow(t, "g")
				if what.prepare != nil {
					what.prepare(s)
				}
				through := &midway{log: s.log, left: at, act: how.begin}
				s.stores.Maintainer = through
				s.keeper = upkeep.New(s.stores, upkeep.Options{Timeout: 150 * time.Millisecond})
				err := what.act(s)
				how.end()
				awaitPing(t, client)
				s.keeper = upkeep.New(s.stores, upkeep.Options{})
				if again := what.act(s); again != nil {
					t.Errorf("%s, %s before call %d: %v, and again: %v", act, fault, at, err, again)
					continue
				}
				if g, h := len(s.all(t, s.log, "g")), len(s.all(t, s.log, "h")); g != what.g || h != what.h {
					t.Errorf("%s, %s before call %d: g has %d events and h %d", act, fault, at, g, h)
				}
			}
		}
	}
}

func awaitPing(t testing.TB, client rueidis.Client) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); client.Do(t.Context(), client.B().Ping().Build()).Error() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("Redis does not come back")
		}
	}
}

// TestKeepingOverAFailover: the master dies in the middle of an act, and its replica takes its place.
func TestKeepingOverAFailover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts clusters")
	}
	events, file := history(t)
	all := acts(t, events, file)
	for _, act := range []string{"retain", "restore"} {
		what, cluster := all[act], redistest.StartClusterWithReplicas(t)
		client := cluster.Client(t)
		keys := redis.Keys{Prefix: cluster.Prefix(t)}
		s := &site{world: &world{log: redis.New(client, cluster.Client(t), redis.Options{Prefix: keys.Prefix}),
			models: models.New(client, keys, models.Options{})}, client: client, keys: keys}
		s.open()
		s.archived(newShelf())
		s.rewrite(t, "g", events)
		s.follow(t, "g")
		if what.prepare != nil {
			what.prepare(s)
		}
		owner := cluster.Owner(t, cluster.Slot(t, keys.Events("g")))
		s.stores.Maintainer = &midway{log: s.log, left: 2, act: func() {
			cluster.AwaitReplicated(t, owner)
			cluster.FailOver(t, owner)
		}}
		s.keeper = upkeep.New(s.stores, upkeep.Options{})
		err := what.act(s)
		if again := what.act(s); again != nil {
			t.Errorf("%s: %v, and again: %v", act, err, again)
			continue
		}
		if g, h := len(s.all(t, s.log, "g")), len(s.all(t, s.log, "h")); g != what.g || h != what.h {
			t.Errorf("%s: g has %d events and h %d", act, g, h)
		}
	}
}
