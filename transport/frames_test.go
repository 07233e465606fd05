package transport

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

func TestFramesAreSpliced(t *testing.T) {
	event := eventstore.Event{Version: 1, Data: []byte(`{"version":1,"checksum":"00"}`), Hash: "ab"}
	if got, want := string(appendChange([]byte("x"), event)), `x{"version":1,"checksum":"00","hash":"ab"}`; got != want {
		t.Errorf("change is %s, want %s", got, want)
	}
	frame := stateUpdate(event)
	if got, want := string(frame), `{"type":"state_update","version":1,"checksum":"00","hash":"ab"}`; got != want {
		t.Errorf("frame is %s, want %s", got, want)
	}
	two := (&syncFrame{status: behind}).withChanges([][]byte{frame, frame})
	change := string(appendChange(nil, event))
	if got, want := string(bytes.Join(two.parts, nil)), `"changes":[`+change+","+change+"]}"; !strings.HasSuffix(got, want) || two.size != len(got) {
		t.Errorf("sync of %d bytes is %s, want an end of %s", two.size, got, want)
	}
}

func TestFrameType(t *testing.T) {
	tests := []struct{ frame, want string }{
		{`{"type":"command","x":1}`, "command"},
		{` { "x" : {"type":"no"} , "type" : "heartbeat" }`, "heartbeat"},
		{`{"x":[1,"type"],"type":"a"}`, "a"},
		{`{"type":"comm\u0061nd"}`, "command"},
		{`{"type":"a`, ""}, {`{"type":7}`, ""}, {`{}`, ""}, {`[]`, ""}, {``, ""}, {`{"type"`, ""}, {`{"x":`, ""}, {`"type"`, ""},
	}
	for _, test := range tests {
		if got := frameType([]byte(test.frame)); got != test.want {
			t.Errorf("type of %q is %q, want %q", test.frame, got, test.want)
		}
	}
}

// FuzzFrameType holds the short way against a decoder: of a valid object both see the same type.
func FuzzFrameType(f *testing.F) {
	for _, seed := range []string{`{"type":"command"}`, `{"a":{"type":1},"type":"\u0061"}`, `{"type":"a","type":"b"}`, `{"type":"a" `, ``, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		got := frameType(frame)
		if !jsontext.Value(frame).IsValid() || !strings.HasPrefix(strings.TrimSpace(string(frame)), "{") {
			return
		}
		var named struct {
			Type any `json:"type"`
		}
		if decodeFrame(frame, &named) != nil {
			return
		}
		if want, _ := named.Type.(string); got != want {
			t.Errorf("type of %q is %q, want %q", frame, got, want)
		}
	})
}

func TestRing(t *testing.T) {
	var r ring
	r.restart(eventstore.Position{Version: 10, Hash: "10"})
	if frames, at := r.after(10, 5, 5); len(frames) != 0 || at.Version != 10 {
		t.Errorf("empty ring gives %d frames up to %+v", len(frames), at)
	}
	for version := eventstore.Version(11); version <= 10+ringFrames+50; version++ {
		r.push(eventstore.Position{Version: version, Hash: "h"}, make([]byte, 100))
	}
	if len(r.frames) != ringFrames || r.base.Version != 60 || r.end()-r.offset != 100*ringFrames || r.end() != 100*(ringFrames+50) {
		t.Errorf("ring has %d frames of %d bytes, %d in all, from %+v", len(r.frames), r.end()-r.offset, r.end(), r.base)
	}
	if _, ok := r.position(59); ok {
		t.Error("a forgotten version is known")
	}
	if _, ok := r.position(r.head().Version + 1); ok {
		t.Error("a version to come is known")
	}
	if frames, at := r.after(60, 1000, 250); len(frames) != 2 || at.Version != 62 {
		t.Errorf("got %d frames up to %d, want 2 up to 62", len(frames), at.Version)
	}
	r.push(eventstore.Position{Version: r.head().Version + 1}, make([]byte, 2*ringBytes))
	if len(r.frames) != 1 {
		t.Errorf("a frame above the bound stands beside %d others", len(r.frames)-1)
	}
	if frames, _ := r.after(r.base.Version, 1000, 1); len(frames) != 1 {
		t.Errorf("got %d frames, want at least one", len(frames))
	}
}
