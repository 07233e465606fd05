package command

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// longText is a text of so many different sentences, each with changed put in if there is such.
func longText(sentences int, changed map[int]string) string {
	var text strings.Builder
	for i := range sentences {
		fmt.Fprintf(&text, "This is sentence %d of a text that is %slong.\n", i, changed[i])
	}
	return text.String()
}

// scrambled draws words from few different ones, so that a search for what is equal goes many ways.
func scrambled(seed uint64, words, different int) string {
	random := rand.New(rand.NewPCG(seed, 1))
	var text strings.Builder
	for range words {
		fmt.Fprintf(&text, "%c ", 'a'+random.IntN(different))
	}
	return text.String()
}

// periodic repeats a word, with another one in between at every period.
func periodic(words, period int) string {
	text := strings.Repeat("a ", period-1) + "b "
	return strings.Repeat(text, words/period)
}

// alike is words as long as said that differ at their ends only.
func alike(seed uint64, words, length int) string {
	random, same := rand.New(rand.NewPCG(seed, 1)), strings.Repeat("x", length-4)
	var text strings.Builder
	for range words {
		fmt.Fprintf(&text, "%s%03d ", same, random.IntN(1000))
	}
	return text.String()
}

var mergeLong = []struct {
	name                 string
	base, server, client string
	outcome              mergeOutcome
}{
	{"an edit at either end", longText(20_000, nil), longText(20_000, map[int]string{0: "very ", 9: "so "}), longText(20_000, map[int]string{19_999: "not "}), merged},
	{"edits everywhere", longText(20_000, nil), longText(20_000, map[int]string{0: "very ", 10_000: "so ", 19_999: "oh "}), longText(20_000, map[int]string{1: "un", 9_999: "not ", 19_998: "less "}), merged},
	{"edits side by side", longText(20_000, nil), longText(20_000, map[int]string{10_000: "very "}), longText(20_000, map[int]string{10_001: "un"}), merged},
	{"as long as an entity", longText(5000, nil), longText(5000, map[int]string{0: "very ", 4998: "so "}), longText(5000, map[int]string{1: "oh ", 4999: "not "}), merged},
	{"as long as an entity, rewritten", longText(5000, nil), scrambled(1, 125_000, 26), scrambled(2, 125_000, 26), overlapping},
	{"a part rewritten, an edit elsewhere", longText(20_000, nil), longText(10_000, nil) + scrambled(1, 100_000, 26), longText(20_000, map[int]string{1: "not "}), merged},
	{"a part rewritten, an edit in it", longText(20_000, nil), longText(10_000, nil) + scrambled(1, 100_000, 26), longText(20_000, map[int]string{19_000: "not "}), overlapping},
	{"rewritten by both", longText(20_000, nil), scrambled(1, 300_000, 26), scrambled(2, 300_000, 26), overlapping},
	{"few words, scrambled", scrambled(1, 100_000, 2), scrambled(2, 100_000, 2), scrambled(3, 100_000, 2), overlapping},
	{"at different periods", periodic(100_000, 100), periodic(100_000, 101), periodic(100_000, 99), overlapping},
	{"long words alike", alike(1, 500, 500), alike(2, 500, 500), alike(3, 500, 500), overlapping},
	{"one long word", strings.Repeat("a", 1<<20), strings.Repeat("b", 1<<20), strings.Repeat("a", 1<<20) + " b", merged},
	{"no words", strings.Repeat(" ", 1<<20), strings.Repeat("\t", 1<<20), strings.Repeat(" ", 1<<20) + "a", merged},
	{"characters", strings.Repeat("日", 100_000), strings.Repeat("日", 50_000) + strings.Repeat("本", 50_000), "本" + strings.Repeat("日", 100_000), merged},
	{"deletions everywhere", scrambled(1, 1000, 26), strings.ReplaceAll(scrambled(1, 1000, 26), "a ", ""), strings.ReplaceAll(scrambled(1, 1000, 26), "b ", ""), merged},
}

// TestMergeOfLongTexts: texts of megabytes with small edits merge; the work to find that they do not is bounded.
func TestMergeOfLongTexts(t *testing.T) {
	for _, test := range mergeLong {
		t.Run(test.name, func(t *testing.T) {
			m := newMerger()
			value, outcome := m.merge(mergeQuoted(test.base), mergeQuoted(test.server), mergeQuoted(test.client))
			if outcome != test.outcome {
				t.Errorf("got %v, want %v", outcome, test.outcome)
			}
			if m.work < 0 {
				t.Errorf("%d comparisons too many", -m.work)
			}
			if len(test.base) > 1<<19 {
				return
			}
			other, outcomeOther := merge3(mergeQuoted(test.base), mergeQuoted(test.client), mergeQuoted(test.server))
			if outcome != outcomeOther || string(value) != string(other) {
				t.Error("the other way round it is something else")
			}
		})
	}
}

// TestDifferenceIsBounded: more edits, more comparisons or longer ones than there may be, and the change counts as
// one; a long text alone is no such reason.
func TestDifferenceIsBounded(t *testing.T) {
	tests := []struct {
		name       string
		base, side string
		work, want int
	}{
		{"exact", "a b c d", "x b c y", mergeWork, 2},
		{"many edits", scrambled(1, 10_000, 26), scrambled(2, 10_000, 26), 1 << 40, 1},
		{"many comparisons", "x " + periodic(20_000, 200) + "x", "y " + periodic(20_000, 201) + "y", mergeWork, 1},
		{"long comparisons", alike(1, 150, 5000), alike(2, 150, 5000), mergeWork, 1},
		{"long", longText(5000, nil), longText(5000, map[int]string{0: "very ", 4999: "not "}), 1000, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base, side := tokenise(test.base), tokenise(test.side)
			edits, cost := difference(&base, &side, test.work)
			if len(edits) != test.want || cost > test.work {
				t.Errorf("got %d edits at a cost of %d of %d, want %d edits", len(edits), cost, test.work, test.want)
			}
		})
	}
}

// TestMergeOfManyTexts: the texts in an object share what comparing may cost. Where it is used up, what does not
// need it merges nevertheless.
func TestMergeOfManyTexts(t *testing.T) {
	objects := [3]jsontext.Value{{'{'}, {'{'}, {'{'}}
	for i := range uint64(100) {
		same := scrambled(i, 300, 20)
		for side, text := range []string{"- " + same, "- " + scrambled(100+i, 300, 20), "+ " + same} {
			objects[side] = appendMember(objects[side], fmt.Appendf(nil, "m%02d", i), mergeQuoted(text))
		}
	}
	for side := range objects {
		objects[side] = append(objects[side], '}')
	}
	m := merger{work: mergeWork / 4, bytes: mergeBytes}
	if _, outcome := m.merge(objects[0], objects[1], objects[2]); outcome != merged || m.work < 0 || m.work > mergeWork/400 {
		t.Errorf("got %v, %d left", outcome, m.work)
	}
}

// The texts of one command may be so long and no longer, however few words of them were changed.
func TestMergeOfLongTextsIsBoundedPerCommand(t *testing.T) {
	m := newMerger()
	base, server, client := mergeQuoted(longText(5000, nil)), mergeQuoted(longText(5000, map[int]string{1: "so "})), mergeQuoted(longText(5000, map[int]string{4000: "not "}))
	merges := mergeBytes / (len(base) + len(server) + len(client))
	for i := range merges + 3 {
		_, outcome := m.merge(base, server, client)
		if want := i < merges; (outcome == merged) != want {
			t.Fatalf("merge %d of %d: got %v", i, merges, outcome)
		}
	}
}

func BenchmarkMergeTitle(b *testing.B) {
	base, server, client := mergeQuoted("Plan the launch in spring"), mergeQuoted("Plan the big launch in spring"), mergeQuoted("Plan the launch in autumn")
	b.ReportAllocs()
	for b.Loop() {
		if _, outcome := merge3(base, server, client); outcome != merged {
			b.Fatal(outcome)
		}
	}
}

func BenchmarkMergeLong(b *testing.B) {
	for _, test := range mergeLong {
		b.Run(strings.ReplaceAll(test.name, " ", "-"), func(b *testing.B) {
			base, server, client := mergeQuoted(test.base), mergeQuoted(test.server), mergeQuoted(test.client)
			b.SetBytes(int64(len(base) + len(server) + len(client)))
			b.ReportAllocs()
			for b.Loop() {
				if _, outcome := merge3(base, server, client); outcome != test.outcome {
					b.Fatal(outcome)
				}
			}
		})
	}
}
