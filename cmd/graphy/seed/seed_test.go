package seed

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// The same options make the same history; more events begin in the same way; each step leans on steps before it alone.
func TestHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opts := Options{Events: rapid.IntRange(1, 300).Draw(t, "events"), Users: rapid.IntRange(2, 20).Draw(t, "users"), Seed: rapid.Uint64Range(1, 1<<40).Draw(t, "seed")}
		steps := History(opts)
		longer := opts
		longer.Events += rapid.IntRange(0, 100).Draw(t, "more")
		if len(steps) != opts.Events || !reflect.DeepEqual(steps, History(opts)) || !reflect.DeepEqual(steps, History(longer)[:len(steps)]) {
			t.Fatalf("%+v: %d steps, or another history", opts, len(steps))
		}
		ids := map[string]bool{}
		for i, step := range steps {
			switch {
			case ids[step.OperationID]:
				t.Fatalf("step %d: operation id %s is used twice", i, step.OperationID)
			case step.Base >= i || step.Target >= i || step.Base < Now || step.Target < Now:
				t.Fatalf("step %d leans on steps %d and %d", i, step.Base, step.Target)
			case step.Kind == Resolve && (step.Target == Now || steps[step.Target].Type != "UPDATE_NODE"),
				step.Kind == Restore && step.Target == Now, step.Kind == Policy != (i == 0):
				t.Fatalf("step %d is %+v", i, step)
			}
			ids[step.OperationID] = true
		}
	})
}

// Histories differ by seed and by users, and all sorts of things happen in a long one.
func TestHistoryIsLively(t *testing.T) {
	a, b, c := History(Options{}), History(Options{Seed: 2}), History(Options{Users: 5})
	if reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) || len(a) != 1000 {
		t.Error("histories do not differ")
	}
	kinds, types, users, strays := map[Kind]int{}, map[string]int{}, map[string]bool{}, 0
	for _, step := range a {
		kinds[step.Kind]++
		types[step.EventType()]++
		users[step.User] = true
		if step.Base != Now {
			strays++
		}
	}
	for _, kind := range []Kind{Policy, Command, Batch, Undo, Redo, Restore, Resolve} {
		if kinds[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
	for _, name := range []string{"UPDATE_NODE", "UPDATE_NODE_POSITION", "UPDATE_NODE_TITLE", "DELETE_NODE", "CREATE_EDGE", "UPDATE_EDGE", "DELETE_EDGE", "UPDATE_VIEWPORT"} {
		if types[name] == 0 {
			t.Errorf("no %s", name)
		}
	}
	if len(users) != 4 || strays < 50 {
		t.Errorf("%d users, %d steps made on an older version", len(users), strays)
	}
}
