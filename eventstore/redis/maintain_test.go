package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// fill appends n events to g.
func fill(t testing.TB, log *redis.Store, n int) []eventstore.Event {
	t.Helper()
	history := eventstoretest.Numbered(eventstore.Position{}, n)
	if result, err := log.Append(t.Context(), "g", eventstore.Position{}, history); err != nil || result.Outcome != eventstore.Applied {
		t.Fatalf("fill: %+v, %v", result, err)
	}
	return history
}

func baseOf(event eventstore.Event) eventstore.Base {
	return eventstore.Base{Position: event.Position(), Data: []byte("state")}
}

// rewritten begins new content of g, in which the first event is another one.
func rewritten(t testing.TB, log *redis.Store, history []eventstore.Event) (eventstore.Rewriting, []eventstore.Event) {
	t.Helper()
	content := slices.Clone(history)
	content[0].Data = []byte(`{"other":1}`)
	var hash eventstore.Hash
	for i := range content {
		hash = eventstore.NextHash(hash, content[i].Data)
		content[i].Hash = hash
	}
	r, err := log.Rewrite(t.Context(), "g", eventstore.Base{})
	if err != nil {
		t.Fatal(err)
	}
	return r, content
}

func sendAll(t testing.TB, client rueidis.Client, commands ...[]string) {
	t.Helper()
	for _, command := range commands {
		if err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).Error(); err != nil {
			t.Fatalf("%q: %v", command, err)
		}
	}
}

// keysOf returns what keys there are of g, without those of rewritings in the making, and their TTLs.
func keysOf(t testing.TB, client rueidis.Client, prefix string) map[string]int64 {
	t.Helper()
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern(prefix+"graph:{g}:*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	ttls := map[string]int64{}
	for _, key := range keys {
		ttl, err := client.Do(t.Context(), client.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		ttls[strings.TrimPrefix(key, prefix+"graph:{g}:")] = ttl
	}
	return ttls
}

// TestMaintainOverCutConnection: the answer to a call is lost, or half of the call; it is carried out once.
func TestMaintainOverCutConnection(t *testing.T) {
	server := redistest.Start(t)
	for _, where := range []string{cutRequest, cutAnswer} {
		proxy := startProxy(t, server.Addr)
		log, _ := dial(t, "redis://"+proxy.addr, server.Prefix(t))
		history := fill(t, log, 30)
		if err := log.SetBase(t.Context(), "g", baseOf(history[19])); err != nil {
			t.Fatal(err)
		}
		proxy.cutNext(where)
		if err := log.Trim(t.Context(), "g", history[:10]); err != nil {
			t.Errorf("%s cut: trim: %v", where, err)
		}
		r, err := log.Rewrite(t.Context(), "g", eventstore.Base{})
		if err != nil {
			t.Fatal(err)
		}
		for from := 0; from < 30; from += 10 {
			proxy.cutNext(where)
			if err := r.Write(t.Context(), history[from:from+10]); err != nil {
				t.Errorf("%s cut: write: %v", where, err)
			}
		}
		proxy.cutNext(where)
		if committed, err := r.Commit(t.Context(), history[29].Position()); !committed || err != nil {
			t.Errorf("%s cut: commit: %t, %v", where, committed, err)
		}
		if cuts := proxy.cuts.Load(); cuts != 5 {
			t.Errorf("%d %ss were cut, want 5", cuts, where)
		}
		events, err := log.Read(t.Context(), "g", 0, 100)
		if err == nil {
			err = eventstore.VerifyChain("g", eventstore.Position{}, events)
		}
		if err != nil || len(events) != 30 {
			t.Errorf("%s cut: %d events, %v, want 30", where, len(events), err)
		}
	}
}

// TestMaintainFullRedis: what needs memory is refused and tried again later; what frees it is not.
func TestMaintainFullRedis(t *testing.T) {
	server := redistest.StartOwn(t)
	log, client := dial(t, server.URL, server.Prefix(t))
	history := fill(t, log, 40)
	if err := log.SetBase(t.Context(), "g", baseOf(history[19])); err != nil {
		t.Fatal(err)
	}
	r, content := rewritten(t, log, history)
	if err := r.Write(t.Context(), content[:39]); err != nil {
		t.Fatal(err)
	}
	full, err := log.Rewrite(t.Context(), "g", eventstore.Base{})
	if err == nil {
		err = full.Write(t.Context(), content)
	}
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, client, []string{"CONFIG", "SET", "maxmemory", "1"})
	short := func() context.Context { return within(t, 300*time.Millisecond) }
	refused := map[string]error{
		"set base": log.SetBase(short(), "g", baseOf(history[29])),
		"write":    r.Write(short(), content[39:]),
	}
	_, refused["rewrite"] = log.Rewrite(short(), "g", baseOf(history[9]))
	for name, err := range refused {
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", name, err, eventstore.ErrUnavailable)
		}
	}
	if err := log.Trim(within(t, patience), "g", history[:10]); err != nil {
		t.Errorf("trim: %v", err)
	}
	if err := full.Discard(within(t, patience)); err != nil {
		t.Errorf("discard: %v", err)
	}
	sendAll(t, client, []string{"CONFIG", "SET", "maxmemory", "0"})
	if err := log.SetBase(t.Context(), "g", baseOf(history[29])); err != nil {
		t.Errorf("set base: %v", err)
	}
	if err := r.Write(t.Context(), content[39:]); err != nil {
		t.Errorf("write: %v", err)
	}
	if committed, err := r.Commit(t.Context(), history[39].Position()); !committed || err != nil {
		t.Errorf("commit: %t, %v", committed, err)
	}
}

// TestMaintainBrokenKeys: keys of the wrong type and foreign entries stop what they are about, with a cause, and give way
// to new content.
func TestMaintainBrokenKeys(t *testing.T) {
	server := redistest.Start(t)
	tests := []struct {
		name     string
		commands [][]string // EVENTS, OPERATIONS and BASE stand for the keys
		expected int        // events that the stream counts as having
		refuses  bool       // to be trimmed, and to take a base
	}{
		{"stream", [][]string{{"DEL", "EVENTS"}, {"SET", "EVENTS", "x"}}, 0, true},
		{"base", [][]string{{"SET", "BASE", "x"}}, 20, true},
		{"index", [][]string{{"DEL", "OPERATIONS"}, {"SET", "OPERATIONS", "x"}}, 20, false},
		{"foreign entry", [][]string{{"XADD", "EVENTS", "20-7", "event", "{}", "hash", "x"}}, 20, false},
		{"foreign fields", [][]string{{"XADD", "EVENTS", "21-0", "evil", "{}"}, {"XADD", "EVENTS", "22-0", "evil", "{}", "hash", "x"}}, 20, false},
		{"gone", [][]string{{"DEL", "EVENTS"}}, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log, client := dial(t, server.URL, server.Prefix(t))
			history := fill(t, log, 20)
			keys := strings.NewReplacer("EVENTS", log.Keys().Events("g"), "OPERATIONS", log.Keys().Operations("g"), "BASE", log.Keys().Base("g"))
			for _, command := range test.commands {
				for i := range command {
					command[i] = keys.Replace(command[i])
				}
				sendAll(t, client, command)
			}
			if test.refuses {
				if err := log.SetBase(t.Context(), "g", baseOf(history[9])); !errors.Is(err, eventstore.ErrBroken) {
					t.Errorf("set base: got %v, want %v", err, eventstore.ErrBroken)
				}
				if err := log.Trim(t.Context(), "g", history[:5]); !errors.Is(err, eventstore.ErrBroken) {
					t.Errorf("trim: got %v, want %v", err, eventstore.ErrBroken)
				}
			}
			at := eventstore.Position{}
			if test.expected > 0 {
				at = history[test.expected-1].Position()
			}
			r, content := rewritten(t, log, history)
			if err := r.Write(t.Context(), content); err != nil {
				t.Fatal(err)
			}
			if committed, err := r.Commit(t.Context(), eventstore.Position{Version: 3}); committed || err != nil {
				t.Errorf("commit elsewhere: got %t, %v", committed, err)
			}
			if committed, err := r.Commit(t.Context(), at); !committed || err != nil {
				t.Fatalf("commit at %v: got %t, %v", at, committed, err)
			}
			if base, err := log.Base(t.Context(), "g"); err != nil || base.Version != 0 {
				t.Errorf("base: got %v, %v, want none", base, err)
			}
			w := writer{log: log, history: content}
			w.mustWrite(t, 2)
			w.check(t)
		})
	}
}

// TestTrimmedStreamWithoutBase is a hole, and no trimmed stream.
func TestTrimmedStreamWithoutBase(t *testing.T) {
	log, client := dial(t, redistest.Start(t).URL, redistest.Start(t).Prefix(t))
	history := fill(t, log, 20)
	if err := log.SetBase(t.Context(), "g", baseOf(history[9])); err != nil {
		t.Fatal(err)
	}
	sendAll(t, client, []string{"XTRIM", log.Keys().Events("g"), "MINID", "12-0"}) // beyond the base
	for _, after := range []eventstore.Version{0, 9, 10} {
		_, err := log.Read(t.Context(), "g", after, 5)
		wantBroken(t, "read", err, after+1)
		for _, err := range log.Tail(within(t, patience), "g", after) {
			wantBroken(t, "tail", err, after+1)
		}
	}
	if _, err := log.ReadBackward(t.Context(), "g", 12, 5); !errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("read backward: got %v, want %v", err, eventstore.ErrBroken)
	}
	if events, err := log.Read(t.Context(), "g", 11, 5); err != nil || len(events) != 5 {
		t.Errorf("what is left: got %d events, %v", len(events), err)
	}
}

// TestI10RewritesLeaveNothing: after a rewriting there are the stream's keys and no others; what is abandoned goes away by
// itself, or with the stream.
func TestI10RewritesLeaveNothing(t *testing.T) {
	server := redistest.Start(t)
	prefix := server.Prefix(t)
	log, client := dial(t, server.URL, prefix)
	history := fill(t, log, 20)
	r, err := log.Rewrite(t.Context(), "g", baseOf(history[9]))
	if err == nil {
		err = r.Write(t.Context(), history[10:])
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, ttl := range keysOf(t, client, prefix) {
		if strings.HasPrefix(key, "rewrite") != (ttl > 0) || ttl > (6*time.Hour).Milliseconds() {
			t.Errorf("in the making: %s lives %d ms", key, ttl)
		}
	}
	if committed, err := r.Commit(t.Context(), history[19].Position()); !committed || err != nil {
		t.Fatalf("commit: %t, %v", committed, err)
	}
	if err := r.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(keysOf(t, client, prefix)); got != "map[base:-1 events:-1 operations:-1]" {
		t.Errorf("committed: got %s", got)
	}
	for range 3 { // abandoned, by processes that died
		abandoned, err := log.Rewrite(t.Context(), "g", baseOf(history[9]))
		if err == nil {
			err = abandoned.Write(t.Context(), history[10:15])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, client, prefix); len(got) > 0 {
		t.Errorf("deleted: got %v", got)
	}
}

// BenchmarkTrim drops a thousand events in one call; what it takes is how long a writer may have to wait.
func BenchmarkTrim(b *testing.B) {
	server := redistest.Start(b)
	log, _ := dial(b, server.URL, server.Prefix(b))
	data := slices.Repeat([]string{payload}, 1000)
	var position eventstore.Position
	add := func() []eventstore.Event {
		events := eventstoretest.Chain(position, data...)
		if _, err := log.Append(b.Context(), "g", position, events); err != nil {
			b.Fatal(err)
		}
		position = events[len(events)-1].Position()
		return events
	}
	oldest := add()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		next := add()
		if err := log.SetBase(b.Context(), "g", baseOf(oldest[999])); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := log.Trim(b.Context(), "g", oldest); err != nil {
			b.Fatal(err)
		}
		oldest = next
	}
}
