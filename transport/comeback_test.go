package transport

import (
	"slices"
	"testing"

	"graphy/eventstore"
)

func TestPredecessor(t *testing.T) {
	has := func(version eventstore.Version) eventstore.Position {
		return eventstore.Position{Version: version, Hash: eventstore.Hash("of")}
	}
	known := func(connection string, version eventstore.Version, follows ...string) Sighting {
		s := Sighting{Connection: connection, Has: has(version), Known: true}
		if len(follows) > 0 {
			s.Follows = follows[0]
		}
		return s
	}
	claim := func(version eventstore.Version) ask { return ask{known: true, claimed: true, version: version} }
	tests := []struct {
		name  string
		seen  []Sighting
		open  []string
		first ask
		want  string
	}{
		{name: "nobody"},
		{name: "one", seen: []Sighting{known("a", 5)}, want: "a"},
		{name: "one that is open here", seen: []Sighting{known("a", 5)}, open: []string{"a"}},
		{name: "one that gave no account", seen: []Sighting{{Connection: "a"}}, want: "a"},
		{name: "a chain", seen: []Sighting{known("a", 5), known("b", 9, "a"), known("c", 7, "b")}, want: "c"},
		{name: "a chain whose middle is forgotten", seen: []Sighting{known("c", 7, "b"), known("d", 9, "c")}, want: "d"},
		{name: "two at once", seen: []Sighting{known("a", 5), known("b", 9)}},
		{name: "two at once, one without account", seen: []Sighting{known("a", 5), {Connection: "b"}}},
		{name: "two at once, one open", seen: []Sighting{known("a", 5), known("b", 9)}, open: []string{"b"}},
		{name: "two, told apart by what it has", seen: []Sighting{known("a", 5), known("b", 9)}, first: claim(9), want: "b"},
		{name: "two alike, one of them open", seen: []Sighting{known("a", 9), known("b", 9)}, open: []string{"a"}, first: claim(9), want: "b"},
		{name: "two, neither is it", seen: []Sighting{known("a", 5), known("b", 9)}, first: claim(7)},
		{name: "two, of another history", seen: []Sighting{known("a", 5), known("b", 9)},
			first: ask{known: true, version: 9, hash: "else", hashed: true}},
		{name: "one, and it says more itself", seen: []Sighting{known("a", 5)}, first: claim(8), want: "a"},
	}
	for _, test := range tests {
		got, found := predecessor(slices.Clone(test.seen), func(c string) bool { return slices.Contains(test.open, c) }, test.first)
		if got.Connection != test.want || found != (test.want != "") {
			t.Errorf("%s: got %+v, %v, want %q", test.name, got, found, test.want)
		}
	}
}
