package redis

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis/redistest"
)

// step is one call of a script and what it is to answer, as fmt prints it.
type step struct {
	name   string
	script *rueidis.Lua
	args   []string
	want   string
}

func run(t *testing.T, client rueidis.Client, keys map[*rueidis.Lua][]string, steps []step) {
	t.Helper()
	for _, step := range steps { // in order: each sees what the one before wrote
		answer := step.script.Exec(t.Context(), client, keys[step.script], step.args)
		got, err := answer.ToAny()
		if fmt.Sprint(got) != step.want || err != nil {
			t.Errorf("%s: got %v, %v, want %s", step.name, got, err, step.want)
		}
	}
}

func TestMaintainScripts(t *testing.T) {
	server := redistest.Start(t)
	client, prefix := server.Client(t), server.Prefix(t)
	key := func(rest string) string { return prefix + "{g}:" + rest }
	stream, operations, base := key("events"), key("operations"), key("base")
	appendKeys := []string{stream, operations}
	for version, event := range []string{"a", "b", "c", "d", "e", "f"} {
		hash := ""
		if version > 0 {
			hash = "hash-" + string(rune('a'+version-1))
		}
		args := appendCall(version, hash, []string{event}, [][]string{{"o" + strconv.Itoa(version+1)}})
		if err := appendScript.Exec(t.Context(), client, appendKeys, args).Error(); err != nil {
			t.Fatal(err)
		}
	}
	keys := map[*rueidis.Lua][]string{
		baseScript: {stream, base}, trimScript: {stream, operations, base}, floorScript: {stream, base}, reindexScript: appendKeys,
		appendScript: appendKeys,
	}
	run(t, client, keys, []step{
		{"floor at first", floorScript, nil, "[0 [1-0 [event a hash hash-a]]]"},
		{"trim without a base", trimScript, []string{"1", "2", "hash-b", "0"}, "[0 0 base]"},
		{"base of no event", baseScript, []string{"9", "hash-i", "x"}, "0"},
		{"base of another hash", baseScript, []string{"4", "hash-x", "x"}, "0"},
		{"base", baseScript, []string{"4", "hash-d", "x"}, "1"},
		{"an older base", baseScript, []string{"3", "hash-c", "x"}, "1"},
		{"trim above the base", trimScript, []string{"1", "5", "hash-e", "0"}, "[0 4 base]"},
		{"trim not the oldest", trimScript, []string{"2", "3", "hash-c", "0"}, "[0 1 oldest]"},
		{"trim another history", trimScript, []string{"1", "2", "hash-x", "0"}, "[0 2 other]"},
		{"trim", trimScript, []string{"1", "2", "hash-b", "4", "o1", "o2", "o5", "unknown", "1", "2", "2", "2"}, "[1 0]"},
		{"trim again", trimScript, []string{"1", "2", "hash-b", "1", "o1", "1"}, "[1 0]"},
		{"floor", floorScript, nil, "[4 [3-0 [event c hash hash-c]]]"},
		{"trim on, from before", trimScript, []string{"2", "3", "hash-c", "1", "o3", "3"}, "[1 0]"},
		{"base at the head", baseScript, []string{"6", "hash-f", "x"}, "1"},
		{"trim the newest", trimScript, []string{"4", "6", "hash-f", "0"}, "[0 6 newest]"},
		{"reindex", reindexScript, []string{"2", "o4", "4", "o5", "9", "5", "hash-e", "2", "p", "q", "6", "hash-x", "1", "r", "2", "hash-b", "1", "s"}, "3"},
	})
	left, err := client.Do(t.Context(), client.B().Hgetall().Key(operations).Build()).AsStrMap()
	if want := map[string]string{"o5": "5", "o6": "6", "p": "5", "q": "5"}; err != nil || fmt.Sprint(left) != fmt.Sprint(want) {
		t.Errorf("operations: got %v, %v, want %v", left, err, want)
	}
}

func TestRewriteScripts(t *testing.T) {
	server := redistest.Start(t)
	client, prefix := server.Client(t), server.Prefix(t)
	key := func(rest string) string { return prefix + "{g}:" + rest }
	live, staged := []string{key("events"), key("operations"), key("base")}, []string{key("r:events"), key("r:operations"), key("r:base")}
	stage := func(after, hash string, more ...string) []string {
		return append([]string{"token", "60000", after, hash}, more...)
	}
	commit := func(expected, hash, head, headHash string) []string {
		return []string{expected, hash, head, headHash, "1", "60000", "PUBLISH", "channel", "appends", "bell"}
	}
	keys := map[*rueidis.Lua][]string{
		stageScript: append(staged, key("tokens")), rewriteScript: append(append(live, staged...), key("r:done")), appendScript: live[:2],
		floorScript: {live[0], live[2]},
	}
	run(t, client, keys, []step{
		{"what is live", appendScript, appendCall(0, "", []string{"x"}, [][]string{nil}), "[1 1]"},
		{"commit nothing", rewriteScript, commit("1", "hash-x", "5", "hash-e"), "2"},
		{"begin with a base", stageScript, stage("5", "hash-e", "0", "0", "data"), "1"},
		{"again", stageScript, stage("5", "hash-e", "0", "0", "data"), "1"},
		{"what does not follow", stageScript, stage("6", "hash-f", "1", "0", "g", "hash-g"), "0"},
		{"add", stageScript, stage("5", "hash-e", "2", "1", "f", "hash-f", "g", "hash-g", "o", "7"), "1"},
		{"add again", stageScript, stage("5", "hash-e", "2", "1", "f", "hash-f", "g", "hash-g", "o", "7"), "1"},
		{"commit elsewhere", rewriteScript, commit("2", "hash-x", "7", "hash-g"), "0"},
		{"commit to another hash", rewriteScript, commit("1", "hash-y", "7", "hash-g"), "0"},
		{"commit as if more was written", rewriteScript, commit("1", "hash-x", "8", "hash-h"), "2"},
		{"commit", rewriteScript, commit("1", "hash-x", "7", "hash-g"), "1"},
		{"commit again", rewriteScript, commit("1", "hash-x", "7", "hash-g"), "1"},
		{"begins with its first event", floorScript, nil, "[5 [6-0 [event f hash hash-f]]]"},
		{"goes on", appendScript, appendCall(7, "hash-g", []string{"h"}, [][]string{{"p"}}), "[1 8]"},
		{"knows its operations", appendScript, appendCall(8, "hash-h", []string{"i"}, [][]string{{"o"}}), "[2 8 7]"},
		{"add to what is gone", stageScript, stage("7", "hash-g", "1", "0", "h", "hash-h"), "0"},
	})
}
