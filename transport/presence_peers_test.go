package transport

import (
	"strings"
	"testing"
	"time"
)

func TestRosterHears(t *testing.T) {
	now := time.UnixMilli(1e12)
	says := func(client, data string) presenceEntry {
		e := presenceEntry{key: text(client), at: 1}
		if data != "" {
			e.data = []byte(data)
		}
		return e
	}
	message := func(number uint64, entries ...presenceEntry) *presenceMessage {
		return &presenceMessage{place: "there", number: number, entries: entries}
	}
	whole := func(m *presenceMessage, first, last bool) *presenceMessage {
		m.first, m.last = first, last
		return m
	}
	var r roster
	steps := []struct {
		name    string
		message *presenceMessage
		missed  bool
		want    string // who is seen with what
	}{
		{"the first", message(1, says("a", "1")), false, "a1"},
		{"the next", message(2, says("a", "2"), says("b", "1")), false, "a2 b1"},
		{"twice", message(2, says("a", "9")), false, "a2 b1"},
		{"late", message(1, says("a", "1")), false, "a2 b1"},
		{"one is missing", message(4, says("c", "1")), true, "a2 b1 c1"},
		{"the next again", message(5, says("c", "")), true, "a2 b1"},
		{"all there are, the first part", whole(message(6, says("b", "2")), true, false), false, "a2 b2"},
		{"and the last", whole(message(7, says("d", "1")), false, true), false, "b2 d1"},
		{"all there are, the first part", whole(message(9, says("b", "3")), true, false), false, "b3 d1"},
		{"and the last, of which one is missing", whole(message(11), false, true), true, "b3 d1"},
		{"a sign of life", message(12), true, "b3 d1"},
		{"nobody is there any more", whole(message(20), true, true), false, ""},
	}
	for _, step := range steps {
		missed := r.hear(step.message, now)
		got := ""
		for _, client := range []string{"a", "b", "c", "d"} {
			if said, ok := r.saidAt("there", text(client)); ok {
				got += " " + client + string(said.data)
			}
		}
		if got = strings.TrimSpace(got); missed != step.missed || got != step.want {
			t.Errorf("%s: got %s, missed %v, want %s, %v", step.name, got, missed, step.want, step.missed)
		}
	}

	other := presenceMessage{place: "unknown", number: 3, entries: []presenceEntry{says("x", "1")}}
	if !r.hear(&other, now.Add(time.Second)) {
		t.Error("a place that is unknown has said more before: nothing is missed")
	}
	r.hear(message(21, says("a", "7")), now.Add(2*time.Second))
	r.expire(now.Add(1500 * time.Millisecond))
	_, gone := r.saidAt("unknown", text("x"))
	_, there := r.saidAt("there", text("a"))
	if gone || !there || len(r.peers) != 1 {
		t.Errorf("the silent place is there: %v, the other: %v, places: %d", gone, there, len(r.peers))
	}
}
