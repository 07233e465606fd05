package upkeep_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	models "graphy/projection/redis"
	"graphy/projection/upkeep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, redistest.IgnoreLingering()...) }

// redisWorld is a world in Redis, with a way to its keys.
type redisWorld struct {
	*world
	t      testing.TB
	client rueidis.Client
	keys   redis.Keys
}

// inRedis returns an empty world in a Redis.
func inRedis(t testing.TB, client rueidis.Client, prefix string) *redisWorld {
	t.Helper()
	store := redis.New(client, client, redis.Options{Prefix: prefix})
	w := &redisWorld{t: t, client: client, keys: store.Keys()}
	w.world = (&world{log: store, models: models.New(client, store.Keys(), models.Options{})}).open()
	return w
}

func inSharedRedis(t testing.TB) *redisWorld {
	t.Helper()
	server := redistest.Start(t)
	return inRedis(t, server.Client(t), server.Prefix(t))
}

// do sends a command.
func (w *redisWorld) do(command ...string) {
	w.t.Helper()
	if err := w.client.Do(context.Background(), w.client.B().Arbitrary(command...).Build()).Error(); err != nil {
		w.t.Fatalf("%v: %v", command, err)
	}
}

// contents returns a digest of every key there is, by name.
func (w *redisWorld) contents() map[string]string {
	w.t.Helper()
	ctx := context.Background()
	digests := map[string]string{}
	for cursor := uint64(0); ; {
		page, err := w.client.Do(ctx, w.client.B().Scan().Cursor(cursor).Match(w.keys.Prefix+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, key := range page.Elements {
			dump, err := w.client.Do(ctx, w.client.B().Dump().Key(key).Build()).AsBytes()
			if err != nil {
				w.t.Fatal(err)
			}
			digests[strings.TrimPrefix(key, w.keys.Prefix)] = fmt.Sprintf("%x", sha256.Sum256(dump))
		}
		if cursor = page.Cursor; cursor == 0 {
			return digests
		}
	}
}

// rewrite puts another stream in the place of a graph's, entry by entry: an id and its fields.
func (w *redisWorld) rewrite(graph string, change func(entries [][]string) [][]string) {
	w.t.Helper()
	key := w.keys.Events(graph)
	page, err := w.client.Do(context.Background(), w.client.B().Xrange().Key(key).Start("-").End("+").Build()).AsXRange()
	if err != nil {
		w.t.Fatal(err)
	}
	entries := make([][]string, len(page))
	for i, entry := range page {
		entries[i] = []string{entry.ID, "event", entry.FieldValues["event"], "hash", entry.FieldValues["hash"]}
	}
	w.do("DEL", key)
	for _, entry := range change(entries) {
		w.do(append([]string{"XADD", key}, entry...)...)
	}
}

// What is wrong with any one key of a graph is found and named; a rebuild cures what can be derived from the log, parks
// the graph else, and leaves all others alone.
func TestI11VerifyAndRebuildInRedis(t *testing.T) {
	type damage struct {
		name    string
		act     func(w *redisWorld)
		kind    string
		version uint64
		outcome string
	}
	wrongType := func(name, key, kind, outcome string) damage {
		return damage{"wrong type of " + name, func(w *redisWorld) {
			w.do("DEL", w.keys.Prefix+"graph:{g}:"+key)
			w.do("SET", w.keys.Prefix+"graph:{g}:"+key, "else")
		}, kind, 0, outcome}
	}
	tests := []damage{
		wrongType("state", "state", "damage", "different"),
		wrongType("nodes", "nodes", "damage", "different"),
		wrongType("edges", "edges", "damage", "different"),
		wrongType("viewport", "viewport", "damage", "different"),
		wrongType("conflicts", "conflicts", "damage", "different"),
		wrongType("stats", "stats", "damage", "different"),
		wrongType("incident", "incident:n1", "damage", "different"),
		wrongType("operations", "operations", "operation", "different"),
		wrongType("base", "base", "base", "unchanged"),
		wrongType("events", "events", "chain", "parked"),
		{"state gone", func(w *redisWorld) { w.do("DEL", w.keys.State("g")) }, "node", 0, "different"},
		{"nodes gone", func(w *redisWorld) { w.do("DEL", w.keys.Nodes("g")) }, "node", 0, "different"},
		{"index gone", func(w *redisWorld) { w.do("DEL", w.keys.Operations("g")) }, "operation", 1, "different"},
		{"index of no number", func(w *redisWorld) { w.do("HSET", w.keys.Operations("g"), "op2", "x") }, "operation", 0, "different"},
		{"stray operation", func(w *redisWorld) { w.do("HSET", w.keys.Operations("g"), "stray", "17") }, "operation", 0, "different"},
		{"stray edge at a node", func(w *redisWorld) { w.do("SADD", w.keys.Incident("g", "n1"), "stray") }, "incident", 0, "different"},
		{"wrong count", func(w *redisWorld) { w.do("HINCRBY", w.keys.Stats("g"), "type:BATCH", "1") }, "stats", 0, "different"},
		{"checkpoint of no number", func(w *redisWorld) { w.do("HSET", w.keys.State("g"), "version", "x") }, "damage", 0, "different"},
		{"wrong hash", func(w *redisWorld) { w.do("HSET", w.keys.State("g"), "hash", "x") }, "state", 0, "different"},
		{"flipped byte", func(w *redisWorld) {
			w.rewrite("g", func(entries [][]string) [][]string {
				data := []byte(entries[41][2])
				data[len(data)/2] ^= 1
				entries[41][2] = string(data)
				return entries
			})
		}, "chain", 42, "parked"},
		{"hole", func(w *redisWorld) { w.do("XDEL", w.keys.Events("g"), "42-0") }, "chain", 42, "parked"},
		{"foreign entry", func(w *redisWorld) {
			w.rewrite("g", func(entries [][]string) [][]string {
				return slices.Insert(entries, 42, []string{"42-1", "foo", "bar"})
			})
		}, "chain", 42, "parked"},
		{"foreign entry in the place of one", func(w *redisWorld) {
			w.rewrite("g", func(entries [][]string) [][]string {
				entries[41] = []string{"42-0", "foo", "bar"}
				return entries
			})
		}, "chain", 42, "parked"},
		{"foreign entry before all", func(w *redisWorld) {
			w.rewrite("g", func(entries [][]string) [][]string { return slices.Insert(entries, 0, []string{"0-1", "foo", "bar"}) })
		}, "chain", 0, "parked"},
		{"foreign entry at the end", func(w *redisWorld) { w.do("XADD", w.keys.Events("g"), "*", "foo", "bar") }, "chain", 0, "parked"},
		{"log gone", func(w *redisWorld) { w.do("DEL", w.keys.Events("g")) }, "chain", 1, "parked"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := inSharedRedis(t)
			writer, other := w.write(t, "g", 9, 300), w.write(t, "other", 10, 20)
			w.project(t, writer, other)
			w.mustBeWhole(t, writer)
			test.act(w)
			before := w.contents()
			verified := w.verify(t, "g")
			found := slices.ContainsFunc(verified.First, func(m projection.Mismatch) bool {
				return m.Kind == test.kind && (test.version == 0 || uint64(m.Version) == test.version)
			})
			if verified.OK || !found {
				t.Errorf("verified %+v, want %s at %d", verified, test.kind, test.version)
			}
			dry := w.rebuild(t, "g", upkeep.RebuildOptions{DryRun: true})
			if after := w.contents(); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("verification or a dry run has written:\n%v\nbefore:\n%v", after, before)
			}
			rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{})
			if rebuilt.Outcome != test.outcome || dry.Outcome != rebuilt.Outcome {
				t.Errorf("rebuilt %+v, dry %+v, want %s", rebuilt, dry, test.outcome)
			}
			if rebuilt.Outcome == "different" {
				w.mustBeWhole(t, writer)
			} else if after := w.contents(); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("a log that cannot be folded, and yet something was changed:\n%v\nbefore:\n%v", after, before)
			}
			w.mustBeWhole(t, other)
		})
	}
}

// Everything is read in pages: what is wrong at the edge of one is found as elsewhere.
func TestI2ForeignEntriesAtAnyPlace(t *testing.T) {
	w := inSharedRedis(t)
	writer := w.write(t, "g", 11, 1400)
	w.project(t, writer)
	last := 0
	for _, at := range []int{1, 2, 255, 256, 257, 1279, 1280, 1281, 1399} {
		w.rewrite("g", func(entries [][]string) [][]string {
			entries = slices.DeleteFunc(entries, func(entry []string) bool { return entry[0] == strconv.Itoa(last)+"-1" })
			return slices.Insert(entries, at, []string{strconv.Itoa(at) + "-1", "event", "{}", "hash", "x"})
		})
		last = at
		verified := w.verify(t, "g")
		if verified.Mismatches != 1 || verified.First[0].Kind != "chain" || int(verified.First[0].Version) != at || verified.Version != 1400 {
			t.Errorf("entry %d-1: got %+v", at, verified)
		}
	}
}
