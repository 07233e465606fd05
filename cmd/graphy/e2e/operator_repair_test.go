package e2e

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis/redistest"
)

// entry is one of a stream, as somebody with redis-cli sees it.
type entry struct{ id, event, hash string }

// rewrite puts entries in the place of a stream.
func rewrite(t testing.TB, client rueidis.Client, stream string, entries []entry) {
	t.Helper()
	commands := rueidis.Commands{client.B().Del().Key(stream).Build()}
	for _, e := range entries {
		commands = append(commands, client.B().Xadd().Key(stream).Id(e.id).FieldValue().
			FieldValue("event", e.event).FieldValue("hash", e.hash).Build())
	}
	for _, result := range client.DoMulti(t.Context(), commands...) {
		failOn(t, []error{result.Error()})
	}
}

func entriesOf(t testing.TB, client rueidis.Client, stream string) []entry {
	t.Helper()
	read, err := client.Do(t.Context(), client.B().Xrange().Key(stream).Start("-").End("+").Build()).AsXRange()
	failOn(t, []error{err})
	entries := make([]entry, len(read))
	for i, one := range read {
		entries[i] = entry{one.ID, one.FieldValues["event"], one.FieldValues["hash"]}
	}
	return entries
}

// TestI11OperatorRepairsDamagedLogs: a flipped byte, a hole, a foreign entry and a key of another type, each in a log of its
// own. Each is found, named and parked alone, and has its way out; the graph beside them serves all the time.
func TestI11OperatorRepairsDamagedLogs(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	prefix := backing.Prefix(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + prefix}
	api := start(t, append(env, "GRAPHY_ROLES=api")...)
	ops, client := operator{env}, backing.Client(t)
	stream := func(graph string) string { return prefix + "graph:{" + graph + "}:events" }

	whole := newGraph(t)
	damages := map[string]func(graph string, entries []entry){
		"flipped byte": func(graph string, entries []entry) {
			entries[4].event = strings.Replace(entries[4].event, `"x":4`, `"x":5`, 1)
			rewrite(t, client, stream(graph), entries)
		},
		"hole": func(graph string, entries []entry) { rewrite(t, client, stream(graph), slices.Delete(entries, 4, 5)) },
		"foreign entry": func(graph string, entries []entry) {
			entries[4] = entry{entries[4].id, `{"hello":"world"}`, "none"}
			rewrite(t, client, stream(graph), entries)
		},
		"wrong type": func(graph string, _ []entry) {
			failOn(t, []error{client.Do(t.Context(), client.B().Set().Key(stream(graph)).Value("what?").Build()).Error()})
		},
	}
	graphs := map[string]string{}
	for name := range damages {
		graphs[name] = newGraph(t)
	}
	for _, graph := range append(slices.Collect(mapValues(graphs)), whole) {
		api.fill(t, graph, 3)
		for i := range 7 {
			api.accept(t, graph, "UPDATE_VIEWPORT", object{"x": i + 1})
		}
	}
	api.kill() // what it keeps in memory would go on over the damage for a while
	for name, damage := range damages {
		damage(graphs[name], entriesOf(t, client, stream(graphs[name])))
	}

	s := start(t, env...)
	s.fold(t, whole)
	await(t, 20e9, "all damaged graphs are parked", func() bool {
		return len(ops.reports(t, 0, "graphs", "list", "--state", "parked"))+len(ops.reports(t, 0, "graphs", "list", "--state", "broken")) == len(damages)
	})
	if found := ops.run(t, "verify", "--all"); found.code != 1 {
		t.Errorf("verify: exit code %d\n%s%s", found.code, found.out, found.errors)
	}
	ops.must(t, 0, "verify", whole)
	for name, graph := range graphs {
		report := ops.must(t, 1, "verify", graph, "--output", "json")
		if !strings.Contains(report, `"chain"`) && !strings.Contains(report, `"event"`) {
			t.Errorf("%s: verify says %s", name, report)
		}
		s.refused(t, s.post(t, graph, command("CREATE_NODE", object{})), 503, "unavailable")
		s.accept(t, whole, "CREATE_NODE", object{})
	}
	for name, graph := range graphs {
		letters := ops.reports(t, 0, "deadletters", "list", "--graph", graph)
		if len(letters) != 1 {
			t.Errorf("%s: dead letters %v", name, letters)
			continue
		}
		if name == "wrong type" {
			ops.must(t, 2, "graphs", "delete", graph) // nobody can be asked
			ops.must(t, 0, "graphs", "delete", graph, "--yes")
			continue
		}
		id := letters[0].text("id")
		if version := letters[0].version(); version != 5 {
			t.Errorf("%s: the letter is of version %d, want 5", name, version)
		}
		// Later events were written on what the damaged one had made: they go too.
		ops.must(t, 4, "deadletters", "skip", id, "--reason", "tried by a test", "--yes")
		ops.must(t, 0, "deadletters", "skip", id, "--reason", "damaged by a test", "--cascade", "--yes")
	}
	for name, graph := range graphs {
		await(t, 20e9, name+" takes commands again", func() bool {
			return s.post(t, graph, command("UPDATE_VIEWPORT", object{"x": 99}), "Prefer: wait").status == 200
		})
		s.fold(t, graph)
	}
	ops.must(t, 0, "verify", "--all")
	ops.must(t, 0, "rebuild", "--all")
	if open := ops.reports(t, 0, "deadletters", "list"); len(open) != 0 {
		t.Errorf("letters are open still: %v", open)
	}
	if events := s.changesOf(t, graphs["hole"]); !bytes.Contains(events[4], []byte(`"SKIP"`)) {
		t.Errorf("version 5 after it was skipped: %s", events[4])
	}
	s.fold(t, whole)
}

func mapValues[K comparable, V any](m map[K]V) func(yield func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// TestI3OperatorRebuildsDamagedReadModels: read models altered, deleted and of another type are found by verify and cured by
// rebuild; a graph that somebody writes to all the time is rebuilt too.
func TestI3OperatorRebuildsDamagedReadModels(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	prefix := backing.Prefix(t)
	s := start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+prefix)
	ops, client := operator{s.env}, backing.Client(t)
	damaged := newGraph(t)
	s.fillSettled(t, damaged, 20)
	s.accept(t, damaged, "CREATE_EDGE", object{"id": "e", "source": "n1", "target": "n2"})
	key := func(name string) string { return prefix + "graph:{" + damaged + "}:" + name }
	for i, spoil := range []rueidis.Completed{
		client.B().Hset().Key(key("nodes")).FieldValue().FieldValue("n1", `{"id":"n1"}`).Build(),
		client.B().Hdel().Key(key("edges")).Field("e").Build(),
		client.B().Del().Key(key("incident:n1")).Build(),
		client.B().Set().Key(key("stats")).Value("none").Build(),
		client.B().Hset().Key(key("state")).FieldValue().FieldValue("nodes", "1").Build(),
	} {
		s.fold(t, damaged)
		failOn(t, []error{client.Do(t.Context(), spoil).Error()})
		ops.must(t, 1, "verify", damaged)
		ops.must(t, 1, "rebuild", damaged, "--dry-run")
		ops.must(t, 1, "verify", damaged)
		if report := ops.reports(t, 0, "rebuild", damaged); report[0].text("outcome") != "different" {
			t.Errorf("damage %d: %v", i, report)
		}
		ops.must(t, 0, "verify", damaged)
		if again := ops.reports(t, 0, "rebuild", damaged); again[0].text("outcome") != "unchanged" {
			t.Errorf("damage %d, again: %v", i, again)
		}
	}
	l := put(t, 1, s)
	defer l.end()
	l.awaitMore(t, 50)
	ops.must(t, 0, "rebuild", "--all")
	l.awaitMore(t, 50)
	l.verify(t, s)
	ops.must(t, 0, "verify", "--all")
}
