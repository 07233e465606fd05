package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/projection"
)

// drawText draws texts that are much alike, so that edits touch, repeat and slide.
func drawText(t *rapid.T, label string) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", " ", " ", "\n", ",", "(", ")", "\"", "日", "本", "。", "👍", "🏽", "\u200d", "🇩", "\u0301", "é", "-", "."}), 0, 12)
	return strings.Join(parts.Draw(t, label), "")
}

// TestMergeIsSymmetric: it does not matter who is called server.
func TestMergeIsSymmetric(t *testing.T) {
	mergedTexts := 0
	rapid.Check(t, func(t *rapid.T) {
		base := drawText(t, "base")
		server, client := base, base
		for range rapid.IntRange(0, 3).Draw(t, "edits") {
			server, client = drawEdit(t, server), drawEdit(t, client)
		}
		one, outcome := mergeTexts(base, server, client)
		other, outcomeOther := mergeTexts(base, client, server)
		if one != other || outcome != outcomeOther || outcome == unmergeable {
			t.Fatalf("base %q, server %q, client %q: got %q, %v, and the other way round %q, %v", base, server, client, one, outcome, other, outcomeOther)
		}
		if outcome == merged {
			mergedTexts++
		}
	})
	if mergedTexts == 0 {
		t.Error("no two texts ever merged")
	}
}

// drawEdit cuts something out of a text, or puts something in, wherever that is.
func drawEdit(t *rapid.T, text string) string {
	runes := []rune(text)
	from := rapid.IntRange(0, len(runes)).Draw(t, "from")
	to := rapid.IntRange(from, min(len(runes), from+3)).Draw(t, "to")
	return string(runes[:from]) + rapid.SampledFrom([]string{"", "", "a", "x ", " x", ", y", "日", "👍"}).Draw(t, "new") + string(runes[to:])
}

// TestMergeIdentities: what one side left alone is as the other made it.
func TestMergeIdentities(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) jsontext.Value {
		if rapid.Bool().Draw(t, "text") {
			return mergeQuoted(drawText(t, "value"))
		}
		value, err := projection.Canonical([]byte(drawValue(t, 2)))
		if err != nil {
			t.Fatal(err)
		}
		return value
	})
	rapid.Check(t, func(t *rapid.T) {
		base, other := draw.Draw(t, "base"), draw.Draw(t, "other")
		for _, values := range [][2]jsontext.Value{{other, base}, {base, other}, {other, other}} {
			if value, outcome := merge3(base, values[0], values[1]); outcome != merged || string(value) != string(other) {
				t.Fatalf("base %s, server %s, client %s: got %s, %v", base, values[0], values[1], value, outcome)
			}
		}
	})
}

// wordEdits draws for each word of a text who changes it: 0 nobody, 1 the server, 2 the client; and whether that one
// deletes it.
type wordEdit struct {
	Who    int
	Delete bool
	Space  string // behind the word
}

func drawWordEdits(t *rapid.T, deletes bool, spaces ...string) []wordEdit {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) wordEdit {
		return wordEdit{rapid.IntRange(0, 2).Draw(t, "who"), deletes && rapid.Bool().Draw(t, "delete"), rapid.SampledFrom(spaces).Draw(t, "space")}
	}), 1, 12).Draw(t, "edits")
}

// TestMergeOfDisjointChanges: changes of different words always merge, into exactly the text that has both, also
// where the text repeats itself.
func TestMergeOfDisjointChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var texts [4]strings.Builder // base, server, client, both
		for i, e := range drawWordEdits(t, false, " ", "  ", "\n", ", ", ". ", " (") {
			word := rapid.SampledFrom([]string{"a", "b", "日", "👍"}).Draw(t, "word")
			for side := range texts {
				written := word
				if e.Who > 0 && (side == e.Who || side == 3) {
					written = fmt.Sprintf("new%d", i)
				}
				texts[side].WriteString(written + e.Space)
			}
		}
		got, outcome := mergeTexts(texts[0].String(), texts[1].String(), texts[2].String())
		if want := texts[3].String(); outcome != merged || got != want {
			t.Fatalf("base %q, server %q, client %q: got %q, %v, want %q", &texts[0], &texts[1], &texts[2], got, outcome, want)
		}
	})
}

// TestMergeOfDisjointDeletions: changes and deletions of different words always merge, and hold all words but those
// deleted, in their order.
func TestMergeOfDisjointDeletions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var words [4][]string // base, server, client, both
		for i, e := range drawWordEdits(t, true, " ") {
			for side := range words {
				switch {
				case e.Who == 0 || side != e.Who && side != 3:
					words[side] = append(words[side], fmt.Sprintf("old%d", i))
				case !e.Delete:
					words[side] = append(words[side], fmt.Sprintf("new%d", i))
				}
			}
		}
		// In a long text, too, of which most is not looked at; its words and those changed stay words.
		around := rapid.SampledFrom([]string{"", "short", strings.Repeat("not so short ", 50) + "end"}).Draw(t, "around")
		for side := range words {
			if around != "" {
				words[side] = slices.Concat([]string{around}, words[side], []string{around})
			}
		}
		base, server, client := strings.Join(words[0], " "), strings.Join(words[1], " "), strings.Join(words[2], " ")
		got, outcome := mergeTexts(base, server, client)
		if want := strings.Join(words[3], " "); outcome != merged || got != want {
			t.Fatalf("base %q, server %q, client %q: got %q, %v, want %q", base, server, client, got, outcome, want)
		}
	})
}

// TestMergeLosesNoWord: a word that neither side removed is there, and one that a side put in, too; no word is made up.
func TestMergeLosesNoWord(t *testing.T) {
	words := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	draw := rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, 6, rapid.ID)
	space := rapid.SampledFrom([]string{" ", " ", "\n", ", "})
	write := func(t *rapid.T, words []string) string {
		var text strings.Builder
		for i, word := range words {
			if i > 0 {
				text.WriteString(space.Draw(t, "space"))
			}
			text.WriteString(word)
		}
		return text.String()
	}
	rapid.Check(t, func(t *rapid.T) {
		base := draw.Draw(t, "base")
		server, client := draw.Draw(t, "server"), draw.Draw(t, "client")
		texts := []string{write(t, base), write(t, server), write(t, client)}
		got, outcome := mergeTexts(texts[0], texts[1], texts[2])
		if outcome != merged {
			return
		}
		in := strings.FieldsFunc(got, func(r rune) bool { return strings.ContainsRune(" \n,", r) })
		for _, word := range words {
			kept := slices.Contains(server, word) && slices.Contains(client, word)
			added := !slices.Contains(base, word) && (slices.Contains(server, word) || slices.Contains(client, word))
			if (kept || added) && !slices.Contains(in, word) {
				t.Fatalf("%q: got %q, without %s", texts, got, word)
			}
		}
		for _, word := range in {
			if !slices.Contains(server, word) && !slices.Contains(client, word) {
				t.Fatalf("%q: got %q, with %q that neither has", texts, got, word)
			}
		}
	})
}

// TestDifferenceMakesSideOfBase: the edits are what the side did, in order, with something of the base between them.
func TestDifferenceMakesSideOfBase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := []string{drawText(t, "base"), drawText(t, "side")}
		if rapid.Bool().Draw(t, "alike") {
			texts[1] = drawEdit(t, drawEdit(t, drawEdit(t, texts[0])))
		}
		base, side := tokenise(texts[0]), tokenise(texts[1])
		edits, _ := difference(&base, &side, rapid.SampledFrom([]int{0, 3, 10, 30, mergeWork}).Draw(t, "work"))
		for i, e := range edits {
			if i > 0 && e.from <= edits[i-1].to {
				t.Fatalf("%q, %q: edits %d and %d touch", base.text, side.text, i-1, i)
			}
		}
		if got, ok := applyEdits(&base, edits); !ok || got != side.text {
			t.Fatalf("%q: got %q, want %q", base.text, got, side.text)
		}
	})
}

// TestTrimmedTextsHaveTheSameTokens: what is cut off comes back, and no token is cut.
func TestTrimmedTextsHaveTheSameTokens(t *testing.T) {
	cuts := 0
	rapid.Check(t, func(t *rapid.T) {
		head, tail := drawText(t, "head"), drawText(t, "tail")
		head, tail = strings.Repeat(head, rapid.IntRange(0, 60).Draw(t, "heads")), strings.Repeat(tail, rapid.IntRange(0, 60).Draw(t, "tails"))
		var texts [3]string
		for i := range texts {
			texts[i] = head + rapid.SampledFrom([]string{"", "a", " ", "a b", "x", head, tail}).Draw(t, "text") + tail
		}
		trimmed := texts
		head, tail = trimCommon(&trimmed)
		if head != "" || tail != "" {
			cuts++
		}
		for i, text := range texts {
			if head != "" && trimmed[i][:mergeContext] != trimmed[0][:mergeContext] ||
				tail != "" && trimmed[i][len(trimmed[i])-mergeContext:] != trimmed[0][len(trimmed[0])-mergeContext:] {
				t.Fatalf("%q and %q: too much is cut off", trimmed[0], trimmed[i])
			}
			if head+trimmed[i]+tail != text {
				t.Fatalf("%q, %q, %q are not %q", head, trimmed[i], tail, text)
			}
			whole, count := tokenise(text), 0
			for _, part := range []string{head, trimmed[i], tail} {
				tokens := tokenise(part)
				count += tokens.len()
			}
			if count != whole.len() {
				t.Fatalf("%q, %q, %q: a cut is in the midst of a token", head, trimmed[i], tail)
			}
		}
	})
	if cuts == 0 {
		t.Error("nothing was ever cut off")
	}
}
