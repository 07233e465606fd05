package archive

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"graphy/eventstore"
)

// forgery is what may be done to the lines of an archive by who seals it anew.
type forgery struct {
	name  string
	forge func(lines []string) []string
}

// replaced returns a forgery of one line.
func replaced(name string, at int, old, new string) forgery {
	return forgery{name, func(lines []string) []string {
		text := strings.Replace(lines[at], old, new, 1)
		if text == lines[at] {
			panic("nothing to replace: " + name)
		}
		lines[at] = text
		return lines
	}}
}

// forge returns an object of forged lines.
func forge(t *testing.T, object []byte, f forgery) []byte {
	t.Helper()
	text, err := unpack(object)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	forged, err := pack([]byte(strings.Join(f.forge(lines), "")))
	if err != nil {
		t.Fatal(err)
	}
	return forged
}

// Whatever somebody does to the text of a file, sealing it anew, what does not chain or does not fit is damage.
func TestForgedFile(t *testing.T) {
	one, other := history(eventstore.Position{}, 5, "one"), history(eventstore.Position{}, 5, "other")
	base := eventstore.Base{Position: before(other, 2), Data: []byte("state")}
	want := []content{{graph: "g", events: one}, {graph: "h", base: base, events: other[2:]}}
	file := write(t, want...)
	// 0 file, 1 graph g, 2–6 events, 7 end, 8 graph h, 9–11 events, 12 end, 13 manifest
	hash := string(one[4].Hash)
	line := func(from, to int) func([]string) []string {
		return func(lines []string) []string { lines[from], lines[to] = lines[to], lines[from]; return lines }
	}
	forgeries := []forgery{
		replaced("another format", 0, `{"archive":1`, `{"archive":2`),
		replaced("no format", 0, `"archive":1,`, ``),
		replaced("a file that is a graph", 0, `{`, `{"graphId":"g",`),
		replaced("another time", 0, `"created":`, `"created":1`),
		replaced("another graph", 1, `"g"`, `"x"`),
		replaced("no graph", 1, `"g"`, `""`),
		replaced("no id", 1, `"g"`, `"../x"`),
		replaced("unknown field", 1, `{`, `{"x":1,`),
		replaced("a field twice", 1, `{`, `{"graphId":"g",`),
		replaced("no position", 8, string(before(other, 2).Hash), string(before(other, 2).Hash)[1:]),
		replaced("version 0 with a hash", 8, `"version":2`, `"version":0`),
		replaced("another base", 8, `"base":"`, `"base":"AAAA`),
		replaced("another event", 3, "n1", "n2"),
		replaced("another hash", 3, `"hash":"`+string(one[1].Hash), `"hash":"`+string(one[2].Hash)),
		replaced("another hash of the last", 6, `"hash":"`+hash, `"hash":"`+string(one[2].Hash)),
		replaced("an upper-case hash", 6, `"hash":"`+hash, `"hash":"`+strings.ToUpper(hash)),
		replaced("an end elsewhere", 7, `"version":5`, `"version":4`),
		replaced("an end of another hash", 7, hash, string(one[3].Hash)),
		replaced("an end after fewer", 7, `"events":5`, `"events":4`),
		replaced("an end of another beginning", 7, `"begin":"`, `"begin":"x`),
		replaced("a manifest of another version", 13, `"version":5`, `"version":4`),
		replaced("a manifest of fewer events", 13, `"events":5`, `"events":4`),
		replaced("a manifest of another graph", 13, `"h"`, `"i"`),
		replaced("a manifest of another time", 13, `"created":`, `"created":1`),
		{"swapped events", line(3, 4)}, {"swapped graphs", line(1, 8)}, {"swapped ends", line(7, 12)},
		{"an event less", func(lines []string) []string { return slices.Delete(lines, 3, 4) }},
		{"the first event less", func(lines []string) []string { return slices.Delete(lines, 2, 3) }},
		{"the last event less", func(lines []string) []string { return slices.Delete(lines, 6, 7) }},
		{"an event twice", func(lines []string) []string { return slices.Insert(lines, 3, lines[3]) }},
		{"a graph less", func(lines []string) []string { return slices.Delete(lines, 8, 13) }},
		{"a graph twice", func(lines []string) []string {
			entry := strings.SplitAfter(strings.SplitAfter(lines[13], "[")[1], "}")[:3] // of g
			lines[13] = strings.Replace(lines[13], "[", "["+strings.Join(entry, "")+",", 1)
			return slices.Insert(lines, 1, lines[1:8]...)
		}},
		{"no end", func(lines []string) []string { return slices.Delete(lines, 7, 8) }},
		{"two ends", func(lines []string) []string { return slices.Insert(lines, 7, lines[7]) }},
		{"no manifest", func(lines []string) []string { return lines[:13] }},
		{"two manifests", func(lines []string) []string { return append(lines, lines[13]) }},
		{"something behind", func(lines []string) []string { return append(lines, "\n") }},
		{"half a line behind", func(lines []string) []string { return append(lines, "x") }},
		{"an empty line", func(lines []string) []string { return slices.Insert(lines, 4, "\n") }},
		{"nothing", func([]string) []string { return nil }},
		{"the beginning", func(lines []string) []string { return lines[:1] }},
	}
	for _, f := range forgeries {
		got, _, err := read(bytes.NewReader(forge(t, file, f)), 2)
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %d graphs, %v, want ErrDamaged", f.name, len(got), err)
		}
		for _, c := range got {
			if err := eventstore.VerifyChain(c.graph, c.base.Position, c.events); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
		}
	}
	got, _, err := read(bytes.NewReader(forge(t, file, forgery{"as it was", func(lines []string) []string { return lines }})), 2)
	if err != nil {
		t.Fatal(err)
	}
	sameContents(t, got, want)
}

func TestForgedSegment(t *testing.T) {
	events := history(eventstore.Position{}, 10, "m")
	segment, object, err := encodeSegment("g", before(events, 5), events[5:])
	if err != nil {
		t.Fatal(err)
	}
	hash := string(endOf(events).Hash)
	forgeries := []forgery{
		replaced("another format", 0, `{"archive":1`, `{"archive":3`),
		replaced("another graph", 0, `"g"`, `"x"`),
		replaced("another end", 0, `"to":{"version":10`, `"to":{"version":11`),
		replaced("no end", 0, `"to":`, `"base":"AAAA","to":`),
		replaced("another event", 2, "n6", "n2"),
		replaced("another hash", 2, `"hash":"`+string(events[6].Hash), `"hash":"`+hash),
		replaced("an end elsewhere", 6, `"version":10`, `"version":9`),
		replaced("an end after fewer", 6, `"events":5`, `"events":4`),
		{"an event less", func(lines []string) []string { return slices.Delete(lines, 2, 3) }},
		{"the last event less", func(lines []string) []string { return slices.Delete(lines, 5, 6) }},
		{"ends too early", func(lines []string) []string {
			lines[6] = fmt.Sprintf(`{"to":{"version":9,"hash":"%s"},"events":4,"begin":"%s"}`+"\n", events[8].Hash, hashOfLine([]byte(lines[0])))
			return slices.Delete(lines, 5, 6)
		}},
		{"no end", func(lines []string) []string { return lines[:6] }},
		{"something behind", func(lines []string) []string { return append(lines, lines[6]) }},
		{"nothing", func([]string) []string { return nil }},
	}
	for _, f := range forgeries {
		forged := forge(t, object, f)
		got, err := decodeSegment(segment, forged)
		if checked := checkSegment(segment, forged); !errors.Is(err, ErrDamaged) || !errors.Is(checked, ErrDamaged) {
			t.Errorf("%s: got %d events, %v, checked %v, want ErrDamaged", f.name, len(got), err, checked)
		}
	}
}
