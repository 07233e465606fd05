package projection_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

// differences returns all that Compare reports.
func differences(found, want *projection.Contents) (mismatches []projection.Mismatch) {
	found.Compare(want, func(m projection.Mismatch) bool {
		mismatches = append(mismatches, m)
		return true
	})
	return mismatches
}

// TestContentsOfSameHistory: two folds of one history hold the same, one event more or less is a difference.
func TestContentsOfSameHistory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := writer(r)
		events := w.Events(rapid.IntRange(2, 60).Draw(r, "events"))
		folded := projection.NewGraph("g")
		if err := folded.Fold(events[:len(events)-1]...); err != nil {
			r.Fatal(err)
		}
		if len(differences(projection.ContentsOf(folded), projection.ContentsOf(w.Graph))) == 0 {
			r.Fatal("an event makes no difference")
		}
		if err := folded.Fold(events[len(events)-1]); err != nil {
			r.Fatal(err)
		}
		if found := differences(projection.ContentsOf(folded), projection.ContentsOf(w.Graph)); len(found) > 0 {
			r.Fatalf("got %+v", found)
		}
		if total := projection.ContentsOf(w.Graph).Completed; total != projectiontest.Completed(w.Graph) {
			r.Fatalf("got %d completed nodes", total)
		}
	})
}

// TestCompareInOrder: what differs is reported in one order, cut to a size, and no more of it than is asked for.
func TestCompareInOrder(t *testing.T) {
	long := jsontext.Value(`"` + strings.Repeat("ü", 300) + `"`)
	values := func(value jsontext.Value, ids ...string) map[string]jsontext.Value {
		kept := map[string]jsontext.Value{}
		for _, id := range ids {
			kept[id] = value
		}
		return kept
	}
	found := &projection.Contents{
		Checkpoint: projection.Checkpoint{Position: eventstore.Position{Version: 3, Hash: "h"}, Checksum: 10, LastModified: 5, LastOperationID: "o",
			Nodes: 1, Edges: 2, Policy: jsontext.Value(`{}`), Stalled: "as it may be"},
		Damage: []string{"worse", "bad"}, Viewport: jsontext.Value(`{"x":1}`),
		Nodes: values(long, "b", "a", "same"), Edges: values(long, "e"), Conflicts: values(long, "10-0", "9-0", "x", "y"),
		Incident: map[string][]string{"b": {"e"}, "a": {"e", "f"}, "same": {"e"}}, ByType: map[string]int64{"B": 1, "A": 2, "same": 4}, Completed: 3,
	}
	want := &projection.Contents{Nodes: values(long, "same", "c"), Edges: values([]byte("1"), "e"), Incident: map[string][]string{"a": {"e"}, "same": {"e"}},
		ByType: map[string]int64{"A": 1, "C": 1, "same": 4}}
	const order = "damage: damage: state:version state:hash state:checksum state:lastModified state:lastOperationId state:nodes state:edges state:policy " +
		"viewport:viewport node:a node:b node:c edge:e incident:a incident:b conflict:x conflict:y conflict:9-0 conflict:10-0 stats:A stats:B stats:C stats:completed"
	all := differences(found, want)
	var got []string
	for _, m := range all {
		got = append(got, m.Kind+":"+m.ID)
		if len(m.Want) > 200 || len(m.Found) > 200 {
			t.Errorf("%s: a value of %d bytes", m.ID, len(m.Found))
		}
	}
	if text := strings.Join(got, " "); text != order {
		t.Errorf("got %s\nwant %s", text, order)
	}
	examples := map[int]projection.Mismatch{
		0: {Kind: "damage", Detail: "worse"}, 2: {Kind: "state", ID: "version", Want: "0", Found: "3"},
		4:  {Kind: "state", ID: "checksum", Want: "0000000000000000", Found: "000000000000000a"},
		10: {Kind: "viewport", ID: "viewport", Found: `{"x":1}`}, 15: {Kind: "incident", ID: "a", Want: "e", Found: "e f"},
	}
	for i, m := range examples {
		if all[i] != m {
			t.Errorf("got %+v, want %+v", all[i], m)
		}
	}
	for most := range len(all) {
		heard := 0
		found.Compare(want, func(projection.Mismatch) bool { heard++; return heard <= most })
		if heard != most+1 {
			t.Errorf("reported %d times, want %d", heard, most+1)
		}
	}
}

// TestCountsByType: a graph counts what it folds, in snapshots too, and not at all if nobody wants it to.
func TestCountsByType(t *testing.T) {
	w := projectiontest.NewWriter("g", source(1))
	events := w.Events(200)
	counts := map[string]int64{}
	for _, entry := range events {
		event, err := projection.DecodeEvent(entry.Data)
		if err != nil {
			t.Fatal(err)
		}
		counts[event.CommandType]++
	}
	folded := projection.NewGraph("g")
	if err := folded.Fold(events[:100]...); err != nil {
		t.Fatal(err)
	}
	folded, err := projection.DecodeSnapshot("g", snapshot(t, folded))
	if err != nil {
		t.Fatal(err)
	}
	uncounted := projection.NewGraph("g")
	uncounted.ByType = nil
	if err := folded.Fold(events[100:]...); err != nil || !maps.Equal(folded.ByType, counts) {
		t.Errorf("got %v, %v, want %v", folded.ByType, err, counts)
	}
	if err := uncounted.Fold(events...); err != nil || uncounted.ByType != nil {
		t.Errorf("got %v, %v, want none", uncounted.ByType, err)
	}
	old, err := projection.DecodeSnapshot("g", snapshot(t, uncounted))
	if err != nil || old.ByType != nil || fmt.Sprint(old.Position) != fmt.Sprint(folded.Position) {
		t.Errorf("a snapshot without counts: got %v, %v", old.ByType, err)
	}
	empty := projection.NewGraph("g")
	empty.Position = folded.Position
	if decoded, err := projection.DecodeSnapshot("g", snapshot(t, empty)); err != nil || decoded.ByType == nil {
		t.Errorf("a snapshot with empty counts: got %v, %v", decoded.ByType, err)
	}
}
