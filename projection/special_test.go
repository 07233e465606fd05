package projection_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

// event returns an event with what every one has.
func event(version eventstore.Version, commandType string) projection.Event {
	return projection.Event{Version: version, CommandType: commandType, OperationID: "op", UserID: "u", ClientID: "c", Timestamp: 2,
		WrittenAt: 2, Request: "r", Checksum: "0000000000000000"}
}

// TestSpecialFields: each field of undo, redo, restore, resolve and policy events has its name and its place.
func TestSpecialFields(t *testing.T) {
	tests := []struct {
		name string
		set  func(*projection.Event)
		text string // between request and changes
	}{
		{"none", func(*projection.Event) {}, ``},
		{"undo", func(e *projection.Event) { e.Undoes = []eventstore.Version{3, 40} }, `,"undoes":[3,40]`},
		{"redo", func(e *projection.Event) { e.Redoes = []eventstore.Version{41} }, `,"redoes":[41]`},
		{"skipped", func(e *projection.Event) { e.Skipped = jsontext.Value(`[{"kind":"node"}]`) }, `,"skipped":[{"kind":"node"}]`},
		{"restore", func(e *projection.Event) { e.Restored, e.IsRestore = 7, true }, `,"restored":7`},
		{"restore of nothing", func(e *projection.Event) { e.IsRestore = true }, `,"restored":0`},
		{"policy", func(e *projection.Event) { e.Policy = jsontext.Value(`{"/a":"MERGE"}`) }, `,"policy":{"/a":"MERGE"}`},
		{"empty policy", func(e *projection.Event) { e.Policy = jsontext.Value(`{}`) }, `,"policy":{}`},
		{"resolves", func(e *projection.Event) { e.Resolves = &projection.Resolution{ConflictID: "4-0", Choice: "client"} },
			`,"resolves":{"conflictId":"4-0","choice":"client"}`},
		{"reopens", func(e *projection.Event) { e.Reopens = "4-0" }, `,"reopens":"4-0"`},
		{"all in order", func(e *projection.Event) {
			e.Reopens, e.Resolves, e.Policy = "1-0", &projection.Resolution{}, jsontext.Value(`{}`)
			e.Restored, e.IsRestore, e.Skipped = 1, true, jsontext.Value(`[]`)
			e.Redoes, e.Undoes, e.Conflict = []eventstore.Version{1}, []eventstore.Version{2}, jsontext.Value(`{"paths":[]}`)
		}, `,"conflict":{"paths":[]},"undoes":[2],"redoes":[1],"skipped":[],"restored":1,"policy":{},` +
			`"resolves":{"conflictId":"","choice":""},"reopens":"1-0"`},
	}
	for _, test := range tests {
		want := event(5, "T")
		test.set(&want)
		text := want.AppendJSON(nil)
		if inside := `"request":"r"` + test.text + `,"changes":[]`; !strings.Contains(string(text), inside) || !jsontext.Value(text).IsValid() {
			t.Errorf("%s: got %s, want in it %s", test.name, text, inside)
		}
		if got, err := projection.DecodeEvent(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", test.name, got, err, want)
		}
	}
}

func TestSpecialFieldsRefused(t *testing.T) {
	for _, field := range []string{`"undoes":3`, `"undoes":["3"]`, `"undoes":[-3]`, `"undoes":[3,]`, `"redoes":{}`, `"restored":"7"`,
		`"restored":1.5`, `"resolves":"4-0"`, `"resolves":{"conflictId":4}`, `"resolves":{"choice":null}`, `"reopens":4`, `"reopens":null`} {
		text := `{"version":1,"commandType":"T","operationId":"o",` + field + `,"changes":[],"checksum":"0"}`
		if got, err := projection.DecodeEvent([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", field, got)
		}
	}
}

// TestEventRoundTrip: whatever an event says comes back from its JSON.
func TestEventRoundTrip(t *testing.T) {
	text := rapid.String()
	versions := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) eventstore.Version {
		return eventstore.Version(rapid.Uint64Range(1, 1<<53).Draw(t, "version"))
	}), 0, 4)
	value := rapid.Custom(func(t *rapid.T) jsontext.Value {
		quoted, err := jsontext.AppendQuote(nil, text.Draw(t, "text"))
		if err != nil {
			t.Skip(err)
		}
		return rapid.SampledFrom([]jsontext.Value{nil, []byte(`{}`), append(append([]byte(`{"conflictId":`), quoted...), '}')}).Draw(t, "value")
	})
	rapid.Check(t, func(t *rapid.T) {
		want := event(eventstore.Version(rapid.Uint64Range(1, 1<<53).Draw(t, "version")), "T")
		want.UserID, want.ClientID, want.GestureID = text.Draw(t, "user"), text.Draw(t, "client"), text.Draw(t, "gesture")
		want.Undoes, want.Redoes = versions.Draw(t, "undoes"), versions.Draw(t, "redoes")
		want.Conflict, want.Skipped, want.Policy = value.Draw(t, "conflict"), value.Draw(t, "skipped"), value.Draw(t, "policy")
		want.Reopens = text.Draw(t, "reopens")
		if want.IsRestore = rapid.Bool().Draw(t, "is restore"); want.IsRestore {
			want.Restored = eventstore.Version(rapid.Uint64Range(0, 1<<53).Draw(t, "restored"))
		}
		if rapid.Bool().Draw(t, "resolves") {
			want.Resolves = &projection.Resolution{ConflictID: text.Draw(t, "conflict id"), Choice: text.Draw(t, "choice")}
		}
		written := want.AppendJSON(nil)
		got, err := projection.DecodeEvent(written)
		if err != nil {
			t.Fatalf("decode %s: %v", written, err)
		}
		if again := got.AppendJSON(nil); !bytes.Equal(again, written) || !jsontext.Value(written).IsValid() {
			t.Fatalf("round trip:\n got %s\nwant %s", again, written)
		}
		if got.UserID != want.UserID || got.Reopens != want.Reopens || got.Restored != want.Restored || got.IsRestore != want.IsRestore ||
			!reflect.DeepEqual(got.Resolves, want.Resolves) || len(got.Undoes) != len(want.Undoes) || len(got.Redoes) != len(want.Redoes) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// TestPolicyIsFolded: the newest policy stands, and what it stands for is in no checksum.
func TestPolicyIsFolded(t *testing.T) {
	w := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	g := projection.NewGraph("g")
	if err := g.Fold(w.CreateNode()); err != nil || g.Policy != nil {
		t.Fatalf("at first: got %s, %v", g.Policy, err)
	}
	before := g.Checksum
	for _, policy := range []string{`{"/a":"MANUAL"}`, `{}`, `{"/b":"MERGE"}`} {
		err := g.Fold(w.Event(projection.Event{CommandType: "SET_POLICY", Policy: jsontext.Value(policy)}), w.Write("UPDATE_NODE"))
		if err != nil || string(g.Policy) != policy || g.Checksum != before {
			t.Errorf("got %s, checksum %s, %v, want %s, %s", g.Policy, g.Checksum, err, policy, before)
		}
	}
}
