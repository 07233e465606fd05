package projection_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
	"graphy/projection/projectiontest"
)

func TestDecodeEvent(t *testing.T) {
	full := projection.Event{
		Version: 42, CommandType: "BATCH", OperationID: "op-1", UserID: "ü\"1\\", ClientID: "c", Timestamp: 2, WrittenAt: 1,
		GestureID: "g", Request: "1f3a9c02", Conflict: jsontext.Value(`{"resolution":"client"}`), Checksum: "0123456789abcdef",
		Operations: []projection.OperationRecord{{OperationID: "o", Type: "CREATE_NODE", Request: "r", Kind: projection.Node, ID: "n1", Changes: 1}, {Type: "T"}},
		Changes: []projection.Change{
			{Op: projection.Put, Kind: projection.Node, ID: "n1", Value: jsontext.Value(`{"id":"n1"}`)},
			{Op: projection.Patch, Kind: projection.Node, ID: "n1", Set: jsontext.Value(`{"a":1}`), Was: jsontext.Value(`{"a":null}`)},
			{Op: projection.Delete, Kind: projection.Edge, ID: "e1", Was: jsontext.Value(`{"id":"e1"}`)},
		},
	}
	text := full.AppendJSON(nil)
	if !jsontext.Value(text).IsValid() {
		t.Fatalf("not JSON: %s", text)
	}
	event, err := projection.DecodeEvent(text)
	if err != nil {
		t.Fatal(err)
	}
	if again := event.AppendJSON(nil); !bytes.Equal(again, text) {
		t.Errorf("round trip:\n got %s\nwant %s", again, text)
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	const head, tail = `{"version":1,"commandType":"T","operationId":"o","timestamp":1,"changes":`, `,"checksum":"0123456789abcdef"}`
	tests := []struct{ name, text string }{
		{"empty", ``},
		{"no object", `[]`},
		{"nothing in it", `{}`},
		{"version 0", `{"version":0,"commandType":"T","operationId":"o","changes":[],"checksum":"0"}`},
		{"fraction", `{"version":1.5,"commandType":"T","operationId":"o","changes":[],"checksum":"0"}`},
		{"negative", `{"version":-1,"commandType":"T","operationId":"o","changes":[],"checksum":"0"}`},
		{"text for a number", `{"version":"1","commandType":"T","operationId":"o","changes":[],"checksum":"0"}`},
		{"no changes", `{"version":1,"commandType":"T","operationId":"o","timestamp":1,"checksum":"0123456789abcdef"}`},
		{"changes are no list", head + `{}` + tail},
		{"unknown op", head + `[{"op":"drop","kind":"node","id":"n"}]` + tail},
		{"unknown kind", head + `[{"op":"put","kind":"cat","id":"n","value":{}}]` + tail},
		{"put without value", head + `[{"op":"put","kind":"node","id":"n"}]` + tail},
		{"put of a list", head + `[{"op":"put","kind":"node","id":"n","value":[]}]` + tail},
		{"patch without was", head + `[{"op":"patch","kind":"node","id":"n","set":{}}]` + tail},
		{"delete without was", head + `[{"op":"delete","kind":"node","id":"n"}]` + tail},
		{"no id", head + `[{"op":"put","kind":"node","id":"","value":{}}]` + tail},
		{"other viewport", head + `[{"op":"put","kind":"viewport","id":"v","value":{}}]` + tail},
		{"value without end", head + `[{"op":"put","kind":"node","id":"n","value":{"a":[}}]` + tail},
		{"trailing data", head + `[]` + tail + `}`},
	}
	for _, test := range tests {
		if event, err := projection.DecodeEvent([]byte(test.text)); !errors.Is(err, projection.ErrEvent) {
			t.Errorf("%s: decode %s: got %+v, %v, want ErrEvent", test.name, test.text, event, err)
		}
	}
}

// FuzzDecodeEvent: bytes are refused, or are an event that comes out as the bytes that went in, once they are in the
// order that AppendJSON writes.
func FuzzDecodeEvent(f *testing.F) {
	writer := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	for _, event := range writer.Events(40) {
		f.Add(event.Data)
	}
	for _, field := range []string{`"undoes":[1,2]`, `"redoes":[3]`, `"skipped":[{"by":{}}]`, `"restored":0`, `"policy":{"":"MERGE"}`,
		`"resolves":{"conflictId":"1-0","choice":"client"}`, `"reopens":"1-0"`, `"conflict":{"paths":[{"conflictId":"1-0"}]}`} {
		f.Add([]byte(`{"version":1,"commandType":"T","operationId":"o",` + field + `,"changes":[],"checksum":"0000000000000000"}`))
	}
	for _, text := range documents {
		f.Add([]byte(`{"version":1,"commandType":"T","operationId":"o","changes":[{"op":"put","kind":"node","id":"n","value":` + text + `}],"checksum":"0123456789abcdef"}`))
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		event, err := projection.DecodeEvent(text)
		if err != nil {
			if !errors.Is(err, projection.ErrEvent) {
				t.Fatalf("error is not ErrEvent: %v", err)
			}
			return
		}
		written := event.AppendJSON(nil)
		again, err := projection.DecodeEvent(written)
		if err != nil {
			t.Fatalf("what was written is refused: %s: %v", written, err)
		}
		if second := again.AppendJSON(nil); !bytes.Equal(second, written) {
			t.Fatalf("round trip:\n got %s\nwant %s", second, written)
		}
		graph := projection.NewGraph("g") // the fold stands whatever was decoded
		if graph.ApplyChanges(event.Changes) == nil {
			graph.RevertChanges(event.Changes)
		}
		for range 2 {
			graph.Advance(&event, "h")
		}
		for id := range graph.Conflicts.All() {
			graph.Conflicts.Record(id)
		}
	})
}

func TestEventsRoundTrip(t *testing.T) {
	writer := projectiontest.NewWriter("g", rand.New(rand.NewPCG(7, 7)))
	for _, entry := range writer.Events(500) {
		event, err := projection.DecodeEvent(entry.Data)
		if err != nil {
			t.Fatalf("decode %s: %v", entry.Data, err)
		}
		if got := event.AppendJSON(nil); !bytes.Equal(got, entry.Data) {
			t.Fatalf("round trip:\n got %s\nwant %s", got, entry.Data)
		}
	}
}
