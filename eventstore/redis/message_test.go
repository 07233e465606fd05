package redis

import (
	"slices"
	"strings"
	"testing"
)

func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{"1 1\nh {}\n", "41 2\nh1 {\"a\":1}\nh2 {}\n", "deleted", "1 3\nh {}\n", "0 1\nh {}\n", "1 1\n\n", "1 -1\n", "1 1\n \n ", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, count, lines, err := parseHeader(text)
		if err != nil {
			return
		}
		events, err := parseLines(first, count, lines)
		if err != nil {
			return
		}
		if len(events) != count {
			t.Fatalf("%d events, header says %d", len(events), count)
		}
		var again strings.Builder
		for i, event := range events {
			if int(event.Version-first) != i {
				t.Fatalf("event %d has version %d, the first %d", i, event.Version, first)
			}
			again.WriteString(string(event.Hash) + " " + string(event.Data) + "\n")
		}
		if again.String() != lines {
			t.Fatalf("got %q, want %q", again.String(), lines)
		}
	})
}

func FuzzParseDoorbell(f *testing.F) {
	f.Add(doorbell{"s", 3, "graph"}.String())
	f.Add("s 3")
	f.Add("s -3 g")
	f.Fuzz(func(t *testing.T, text string) {
		bell, err := parseDoorbell(text)
		if err != nil {
			return
		}
		if again, err := parseDoorbell(bell.String()); again != bell || err != nil {
			t.Fatalf("%+v became %+v, %v", bell, again, err)
		}
	})
}

func TestKeysShareASlot(t *testing.T) {
	keys := Keys{Prefix: "p:"}
	got := []string{keys.Events("g"), keys.Operations("g"), keys.State("g"), keys.Nodes("g"), keys.Edges("g"), keys.Incident("g", "n"),
		keys.Viewport("g"), keys.Conflicts("g"), keys.Versions("g"), keys.Connections("g"), keys.Stats("g"), keys.Snapshot("g", 7), keys.EventsChannel("g")}
	for _, key := range got {
		if !strings.HasPrefix(key, "p:graph:{g}:") {
			t.Errorf("%s: want it to begin with p:graph:{g}:", key)
		}
	}
	others := []string{keys.Operation("o"), keys.UserSession("u"), keys.UserCommands("u"), keys.Client("c"), keys.Graphs(3),
		keys.GraphsActive(), keys.DeadLetters(), keys.AppendsChannel()}
	want := []string{"p:operation:o", "p:user:u:session", "p:user:u:commands", "p:client:c", "p:graphs:3", "p:graphs:active",
		"p:deadletters", "p:appends"}
	if !slices.Equal(others, want) {
		t.Errorf("got %q, want %q", others, want)
	}
}
