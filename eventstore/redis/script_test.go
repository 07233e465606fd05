package redis

import (
	"slices"
	"strconv"
	"testing"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis/redistest"
)

// appendCall lays out append.lua's arguments for plain strings; an event's hash is "hash-" and the event.
func appendCall(expected int, hash string, events []string, operations [][]string) []string {
	args := []string{strconv.Itoa(expected), hash, strconv.Itoa(len(events)), "0", "PUBLISH", "channel", "appends", "bell"}
	var ids, versions []string
	for i, event := range events {
		args = append(args, event, "hash-"+event)
		for _, id := range operations[i] {
			ids, versions = append(ids, id), append(versions, strconv.Itoa(expected+i+1))
		}
	}
	args[3] = strconv.Itoa(len(ids))
	return slices.Concat(args, ids, versions)
}

func TestAppendScript(t *testing.T) {
	server := redistest.Start(t)
	client, prefix := server.Client(t), server.Prefix(t)
	keys := []string{prefix + "{g}:events", prefix + "{g}:operations"}
	steps := []struct {
		name       string
		expected   int
		hash       string
		events     []string
		operations [][]string
		want       []int64
	}{
		{"above an unknown stream", 1, "hash-a", []string{"x"}, [][]string{{"o"}}, []int64{0, 0}},
		{"first", 0, "", []string{"a", "b"}, [][]string{{"o1", "o2"}, nil}, []int64{1, 2}},
		{"stale", 1, "hash-a", []string{"c"}, [][]string{{"o3"}}, []int64{0, 2}},
		{"stale, as if new", 0, "", []string{"c"}, [][]string{{"o3"}}, []int64{0, 2}},
		{"of another history", 2, "hash-x", []string{"c"}, [][]string{{"o3"}}, []int64{0, 2}},
		{"without its hash", 2, "", []string{"c"}, [][]string{{"o3"}}, []int64{0, 2}},
		{"stale, of any hash", 1, "*1", []string{"c"}, [][]string{{"o3"}}, []int64{0, 2}},
		{"ahead", 3, "hash-b", []string{"c"}, [][]string{{"o3"}}, []int64{0, 2}},
		{"known operation", 2, "hash-b", []string{"c"}, [][]string{{"o3", "o2"}}, []int64{2, 2, 0, 1}},
		{"next", 2, "hash-b", []string{"c", "d"}, [][]string{{"o3"}, {"o4"}}, []int64{1, 4}},
		{"no operation", 4, "hash-d", []string{"e"}, [][]string{nil}, []int64{1, 5}},
		{"of any hash", 5, "*5", []string{"f"}, [][]string{nil}, []int64{1, 6}},
	}
	for _, step := range steps { // in order: each sees what the one before wrote
		args := appendCall(step.expected, step.hash, step.events, step.operations)
		got, err := appendScript.Exec(t.Context(), client, keys, args).AsIntSlice()
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("%s: got %v, %v, want %v", step.name, got, err, step.want)
		}
	}
	stored, err := client.Do(t.Context(), client.B().Hgetall().Key(keys[1]).Build()).AsIntMap()
	if err != nil || len(stored) != 4 || stored["o1"] != 1 || stored["o2"] != 1 || stored["o3"] != 3 || stored["o4"] != 4 {
		t.Errorf("operations: got %v, %v", stored, err)
	}
}

// A stream whose beginning is gone has fewer entries than versions; one that has lost its end takes no more.
func TestAppendScriptOnTrimmedStreams(t *testing.T) {
	server := redistest.Start(t)
	client, prefix := server.Client(t), server.Prefix(t)
	keys := []string{prefix + "{g}:events", prefix + "{g}:operations"}
	run := func(name string, expected int, want ...int64) {
		t.Helper()
		hash := "hash-e"
		if expected == 0 {
			hash = ""
		}
		args := appendCall(expected, hash, []string{"e"}, [][]string{nil})
		got, err := appendScript.Exec(t.Context(), client, keys, args).AsIntSlice()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
		}
	}
	do := func(command rueidis.Completed) {
		t.Helper()
		if err := client.Do(t.Context(), command).Error(); err != nil {
			t.Fatal(err)
		}
	}
	for version := range 5 {
		run("fill", version, 1, int64(version)+1)
	}
	do(client.B().Xtrim().Key(keys[0]).Maxlen().Threshold("2").Build())
	run("at the number of entries", 2, 0, 5)
	run("at the head", 5, 1, 6)
	do(client.B().Xdel().Key(keys[0]).Id("6-0").Build())
	run("where the end was", 6, 0, 5)
	run("in the place of the lost end", 5, 3, 6)
	do(client.B().Xtrim().Key(keys[0]).Maxlen().Threshold("0").Build())
	run("anew, though it had versions", 0, 3, 1)
}

func TestAppendScriptWrongType(t *testing.T) {
	server := redistest.Start(t)
	client, prefix := server.Client(t), server.Prefix(t)
	stream, operations := prefix+"{g}:events", prefix+"{g}:operations"
	if err := client.Do(t.Context(), client.B().Set().Key(operations).Value("no hash").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	args := appendCall(0, "", []string{"a"}, [][]string{{"o"}})
	err := appendScript.Exec(t.Context(), client, []string{stream, operations}, args).Error()
	if err == nil || classify(err) != permanent {
		t.Errorf("got %v, want WRONGTYPE, permanent", err)
	}
	if exists, _ := client.Do(t.Context(), client.B().Exists().Key(stream).Build()).AsBool(); exists {
		t.Error("the refused append wrote to the stream")
	}
}

func TestMarkAndSettleScripts(t *testing.T) {
	server := redistest.Start(t)
	client, key := server.Client(t), []string{server.Prefix(t) + "active"}
	var last int64
	for range 100 {
		mark, err := markScript.Exec(t.Context(), client, key, []string{"g"}).AsInt64()
		if err != nil || mark <= last {
			t.Fatalf("mark: got %d, %v, want above %d", mark, err, last)
		}
		last = mark
	}
	steps := []struct {
		name string
		args []string
		want int64
	}{
		{"older mark", []string{"g", strconv.FormatInt(last-1, 10)}, 0},
		{"another stream", []string{"h", strconv.FormatInt(last, 10)}, 0},
		{"its mark", []string{"g", strconv.FormatInt(last, 10)}, 1},
		{"again", []string{"g", strconv.FormatInt(last, 10)}, 0},
	}
	for _, step := range steps {
		if got, err := settleScript.Exec(t.Context(), client, key, step.args).AsInt64(); err != nil || got != step.want {
			t.Errorf("%s: got %d, %v, want %d", step.name, got, err, step.want)
		}
	}
}
