package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/projection"
)

// hardNames are names of which some stand otherwise in JSON than they read, and some otherwise in a pointer.
var hardNames = []string{"a", "b", "a/b", "a~b", "~0", "~1", `"`, `\`, `\n`, "\n", "\u0000", "", "ä", "\uFB33", "\U0001F600", "position", "*", "😀/~"}

// drawTree draws a canonical object over hard names.
func drawTree(t *rapid.T, depth int) jsontext.Value {
	object := map[string]jsontext.Value{}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom(hardNames), 0, 4).Draw(t, "names") {
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case kind == 0:
			object[name] = jsontext.Value(`[1,{"a":null}]`)
		case kind < 3 && depth > 0:
			object[name] = drawTree(t, depth-1)
		case kind == 3:
			object[name] = quoted(rapid.SampledFrom(hardNames).Draw(t, "text"))
		default:
			object[name] = jsontext.Value(fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "number")))
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := projection.Canonical(text)
	if err != nil {
		t.Fatal(err)
	}
	return canonical
}

func drawSteps(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom(hardNames), 1, 3).Draw(t, "steps")
}

// lookupDecoded is lookup on decoded values.
func lookupDecoded(value any, steps []string) any {
	for _, step := range steps {
		object, _ := value.(map[string]any)
		value = object[step]
	}
	return value
}

func decode(t *rapid.T, text jsontext.Value) any {
	var value any
	if text != nil && json.Unmarshal(text, &value) != nil {
		t.Fatalf("%s is not JSON", text)
	}
	return value
}

func sameJSON(a, b any) bool {
	x, _ := json.Marshal(a, json.Deterministic(true))
	y, _ := json.Marshal(b, json.Deterministic(true))
	return string(x) == string(y)
}

func TestLookupAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, steps := drawTree(t, 3), drawSteps(t)
		if got, want := decode(t, lookup(tree, steps)), lookupDecoded(decode(t, tree), steps); !sameJSON(got, want) {
			t.Fatalf("%s at %q: got %v, want %v", tree, steps, got, want)
		}
	})
}

func TestMemberWithBackslash(t *testing.T) {
	object := jsontext.Value(`{"\n":1,"\\n":2,"a":3}`)
	for name, want := range map[string]string{"\n": "1", `\n`: "2", "a": "3", `\\n`: "", "": ""} {
		if got := string(member(object, name)); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// TestWithPath: what is written is there, what is taken away is gone, all else is as it was, and canonical.
func TestWithPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, steps := drawTree(t, 3), drawSteps(t)
		var to jsontext.Value
		if rapid.Bool().Draw(t, "write") {
			to = jsontext.Value(`{"new":1}`)
		}
		before := string(tree)
		changed := withPath(tree, steps, to)
		if string(tree) != before {
			t.Fatalf("%s became %s", before, tree)
		}
		canonical, err := projection.Canonical(changed)
		if err != nil || string(canonical) != string(changed) {
			t.Fatalf("%s with %q: %s is not canonical", tree, steps, changed)
		}
		if got := lookup(changed, steps); string(got) != string(to) {
			t.Fatalf("%s with %s at %q: got %s", tree, to, steps, got)
		}
		walkDifferences(tree, changed, "", nil, func(path string, at []string, _, _ jsontext.Value) {
			if n := min(len(at), len(steps)); strings.Join(at[:n], "\x01") != strings.Join(steps[:n], "\x01") {
				t.Fatalf("%s with %s at %q: %q differs, too: %s", tree, to, steps, path, changed)
			}
		})
	})
}

// TestPointersLeadBack: a path that is reported can be read again.
func TestPointersLeadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTree(t, 3), drawTree(t, 3)
		rebuilt := a
		walkDifferences(a, b, "", nil, func(path string, steps []string, left, right jsontext.Value) {
			read, ok := pointerSteps(path)
			if !ok || strings.Join(read, "\x01") != strings.Join(steps, "\x01") || len(read) != len(steps) {
				t.Fatalf("%q: got %q, want %q", path, read, steps)
			}
			if string(lookup(a, steps)) != string(left) || string(lookup(b, steps)) != string(right) {
				t.Fatalf("%q: %s and %s are not there", path, left, right)
			}
			rebuilt = withPath(rebuilt, steps, right)
		})
		if string(rebuilt) != string(b) {
			t.Fatalf("%s with all differences to %s is %s", a, b, rebuilt)
		}
	})
}

// TestPruneKeepsAll: a patch of which every leaf is kept is the same patch; one of which none is changes nothing.
func TestPruneKeepsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, patch := drawTree(t, 2), drawTree(t, 3)
		kept := prune(patch, "", nil, func(_ string, _ []string, leaf jsontext.Value) jsontext.Value { return leaf })
		if string(kept) != string(patch) {
			t.Fatalf("%s became %s", patch, kept)
		}
		none := prune(patch, "", nil, func(path string, steps []string, leaf jsontext.Value) jsontext.Value {
			if string(lookup(patch, steps)) != string(leaf) {
				t.Fatalf("%s at %q: got %s", patch, path, leaf)
			}
			return nil
		})
		if set, _ := projection.Resolve(tree, none, isWhole); set != nil {
			t.Fatalf("nothing is left of %s but %s", patch, none)
		}
	})
}

// TestDiffers holds it against what it says: a path is changed if it, one above it or one below it is, and an object that
// appears is its properties.
func TestDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after, steps := drawTree(t, 3), drawTree(t, 3), drawSteps(t)
		want := string(lookup(before, steps)) != string(lookup(after, steps))
		for n := 1; n < len(steps); n++ { // above it, something that is no object came or went
			was, is := lookup(before, steps[:n]), lookup(after, steps[:n])
			want = want || string(was) != string(is) && (is != nil && !isObject(is) || was != nil && !isObject(was) || is == nil)
		}
		if got := differs(before, after, steps); got != want {
			t.Fatalf("%s to %s at %q: got %v", before, after, steps, got)
		}
	})
}

// TestPathBefore holds the value of a path at the base against the entity's at the base.
func TestPathBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const id = "n"
		var events history
		var states []jsontext.Value // before each event
		current := jsontext.Value(nil)
		for range rapid.IntRange(1, 12).Draw(t, "events") {
			states = append(states, current)
			next := projection.With(drawTree(t, 2), "id", []byte(`"n"`))
			change := projection.Change{Op: projection.Put, Kind: projection.Node, ID: id, Value: next, Was: current}
			switch kind := rapid.IntRange(0, 3).Draw(t, "op"); {
			case current != nil && kind == 0:
				change, next = projection.Change{Op: projection.Delete, Kind: projection.Node, ID: id, Was: current}, nil
			case current != nil && kind < 3:
				change = projection.Change{Op: projection.Patch, Kind: projection.Node, ID: id}
				change.Set, change.Was = projection.Difference(current, next)
			}
			if change.Op != projection.Patch || change.Set != nil {
				events = append(events, &record{Event: projection.Event{Changes: []projection.Change{change}}})
				current = next
				continue
			}
			states = states[:len(states)-1]
		}
		for i, then := range states {
			if got := events[i:].valueBefore(projection.Node, id, current); string(got) != string(then) {
				t.Fatalf("value before event %d: got %s, want %s", i, got, then)
			}
			steps := drawSteps(t)
			if got, want := events[i:].pathBefore(projection.Node, id, steps, current), lookup(then, steps); string(got) != string(want) {
				t.Fatalf("%q before event %d: got %s, want %s", steps, i, got, want)
			}
			if newest := events[i:].newest(projection.Node, id, steps); newest != plainNewest(events[i:], id, steps) {
				t.Fatalf("newest at %q since event %d: got %+v", steps, i, newest)
			}
		}
	})
}

// plainNewest is newest without its short cut.
func plainNewest(h history, id string, steps []string) (newest *record) {
	for _, event := range h {
		if event.touches(projection.Node, id, steps) {
			newest = event
		}
	}
	return newest
}
