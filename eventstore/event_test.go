package eventstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

func TestNextHash(t *testing.T) {
	tests := []struct {
		name     string
		previous eventstore.Hash
		data     string
		want     eventstore.Hash
	}{
		// From coreutils: printf '%s' "<previous><data>" | sha256sum | cut -c1-32
		{"first", "", "{}", "44136fa355b3678a1146ad16f7e8649e"},
		{"second", "44136fa355b3678a1146ad16f7e8649e", "{}", ""},
	}
	for _, test := range tests {
		if test.want == "" {
			sum := sha256.Sum256([]byte(string(test.previous) + test.data))
			test.want = eventstore.Hash(hex.EncodeToString(sum[:16]))
		}
		if got := eventstore.NextHash(test.previous, []byte(test.data)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// NextHash must not write into the data, nor keep a small buffer's bounds.
func TestNextHashOfAnySize(t *testing.T) {
	for _, size := range []int{0, 1, 990, 991, 992, 993, 1023, 1024, 1025, 1 << 20} {
		data := []byte(strings.Repeat("x", size))
		previous := eventstore.NextHash("", nil)
		sum := sha256.Sum256([]byte(string(previous) + string(data)))
		if got, want := eventstore.NextHash(previous, data), eventstore.Hash(hex.EncodeToString(sum[:16])); got != want {
			t.Errorf("%d bytes: got %s, want %s", size, got, want)
		}
	}
}

func chain(from eventstore.Position, data ...string) []eventstore.Event {
	var events []eventstore.Event
	for _, text := range data {
		event := eventstore.Event{Version: from.Version + 1, Data: []byte(text), Hash: eventstore.NextHash(from.Hash, []byte(text))}
		events, from = append(events, event), event.Position()
	}
	return events
}

func TestI2VerifyChain(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(events []eventstore.Event) []eventstore.Event
		at    eventstore.Version // 0: good
	}{
		{"good", func(events []eventstore.Event) []eventstore.Event { return events }, 0},
		{"none", func([]eventstore.Event) []eventstore.Event { return nil }, 0},
		{"end missing", func(events []eventstore.Event) []eventstore.Event { return events[:3] }, 0}, // nobody can tell
		{"beginning missing", func(events []eventstore.Event) []eventstore.Event { return events[1:] }, 1},
		{"hole", func(events []eventstore.Event) []eventstore.Event { return slices.Delete(events, 2, 3) }, 3},
		{"double", func(events []eventstore.Event) []eventstore.Event { return slices.Insert(events, 2, events[1]) }, 3},
		{"swapped data", func(events []eventstore.Event) []eventstore.Event {
			events[1].Data, events[2].Data = events[2].Data, events[1].Data
			return events
		}, 2},
		{"other hash", func(events []eventstore.Event) []eventstore.Event { events[4].Hash = events[3].Hash; return events }, 5},
		{"no hash", func(events []eventstore.Event) []eventstore.Event { events[0].Hash = ""; return events }, 1},
		{"upper case", func(events []eventstore.Event) []eventstore.Event {
			events[0].Hash = eventstore.Hash(strings.ToUpper(string(events[0].Hash)))
			return events
		}, 1},
	}
	for _, test := range tests {
		events := test.spoil(chain(eventstore.Position{}, "a", "b", "c", "d", "e"))
		err := eventstore.VerifyChain("g", eventstore.Position{}, events)
		broken, ok := errors.AsType[*eventstore.ChainError](err)
		switch {
		case test.at == 0 && err == nil:
		case !ok || broken.Version != test.at || broken.Stream != "g" || !errors.Is(err, eventstore.ErrBroken):
			t.Errorf("%s: got %v, want a ChainError at version %d of g", test.name, err, test.at)
		}
	}
}

// A flipped bit anywhere in data or hash breaks the chain at its event; verifying in two parts is verifying at once.
func TestI2FlippedBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.StringN(1, 20, 40), 1, 8).Draw(t, "data")
		events := chain(eventstore.Position{}, data...)
		cut := rapid.IntRange(0, len(events)).Draw(t, "cut")
		middle := eventstore.Position{}
		if cut > 0 {
			middle = events[cut-1].Position()
		}
		if err := errors.Join(eventstore.VerifyChain("g", eventstore.Position{}, events[:cut]), eventstore.VerifyChain("g", middle, events[cut:])); err != nil {
			t.Fatalf("in two parts: %v", err)
		}
		at := rapid.IntRange(0, len(events)-1).Draw(t, "at")
		flip := func(text []byte) []byte {
			text[rapid.IntRange(0, len(text)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			return text
		}
		if rapid.Bool().Draw(t, "in the hash") {
			events[at].Hash = eventstore.Hash(flip([]byte(events[at].Hash)))
		} else {
			events[at].Data = flip(events[at].Data)
		}
		broken, ok := errors.AsType[*eventstore.ChainError](eventstore.VerifyChain("g", eventstore.Position{}, events))
		if !ok || broken.Version != eventstore.Version(at+1) {
			t.Fatalf("got %v, want a ChainError at version %d", broken, at+1)
		}
	})
}

func ExampleVerifyChain() {
	first := eventstore.Event{Version: 1, Data: []byte(`{"n":1}`)}
	first.Hash = eventstore.NextHash("", first.Data)
	second := eventstore.Event{Version: 2, Data: []byte(`{"n":2}`)}
	second.Hash = eventstore.NextHash(first.Hash, second.Data)
	fmt.Println(eventstore.VerifyChain("g", eventstore.Position{}, []eventstore.Event{first, second}))
	fmt.Println(errors.Is(eventstore.VerifyChain("g", eventstore.Position{}, []eventstore.Event{second}), eventstore.ErrBroken))
	// Output:
	// <nil>
	// true
}

func BenchmarkNextHash(b *testing.B) {
	data := []byte(strings.Repeat("x", 400))
	previous := eventstore.NextHash("", data)
	b.ReportAllocs()
	for b.Loop() {
		eventstore.NextHash(previous, data)
	}
}
