package command

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

func mergeQuoted(text string) jsontext.Value {
	value, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		panic(err)
	}
	return value
}

func mergeTexts(base, server, client string) (string, mergeOutcome) {
	value, outcome := merge3(mergeQuoted(base), mergeQuoted(server), mergeQuoted(client))
	return projection.Text(value), outcome
}

// mergeWords are the cases that show what is merged and what is not; "!" wants overlapping.
var mergeWords = []struct{ name, base, server, client, want string }{
	{"different words", "a b", "a c", "z b", "z c"},
	{"words far apart", "the quick brown fox", "the slow brown fox", "the quick brown dog", "the slow brown dog"},
	{"the same word", "a b", "a c", "a d", "!"},
	{"the same edit", "a b", "a c", "a c", "a c"},
	{"the same edit, and another", "a b c", "x b y", "x b c", "x b y"},
	{"everything, and a word", "a b", "c", "a d", "!"},
	{"emptied and changed", "a", "", "b", "!"},
	{"put in front and behind", "b", "a b", "b c", "a b c"},
	{"both put in front", "b", "a b", "c b", "!"},
	{"both put behind", "b", "b a", "b c", "!"},
	{"both into what was empty", "", "a", "b", "!"},
	{"both put in at one place", "a b", "a x b", "a y b", "!"},
	{"put in at two places", "a b c", "a x b c", "a b y c", "a x b y c"},
	{"put in before what is changed", "a b c", "a x b c", "a y c", "a x y c"},
	{"put in behind what is changed", "a b c", "a b x c", "a y c", "a y x c"},
	{"put in behind what is changed at the end", "Untitled", "Roadmap", "Untitled 2", "Roadmap 2"},

	{"deleted, and the next one changed", "a b c", "a c", "a b d", "a d"},
	{"deleted, and the one before changed", "a b c", "a c", "d b c", "d c"},
	{"deleted and changed", "a b c", "a c", "a d c", "!"},
	{"both deleted, side by side", "a b c d", "a c d", "a b d", "a d"},
	{"both deleted, the last ones", "a b c", "a b", "a c", "a"},
	{"both deleted, all there was", "a b", "b", "a", ""},
	{"both deleted, one more", "a b c d", "a c d", "a d", "a d"},
	{"both deleted, by turns", "a b c d", "b d", "a c d", "d"},
	{"the first deleted, put in behind it", "a b", "b", "a x b", "x b"},
	{"the last deleted, put in before it", "a b c", "a b", "a b x c", "a b x"},
	{"deleted, and put in amidst", "a b c d", "a d", "a b x c d", "!"},
	{"one of several alike deleted", "go go go", "go go", "go go go on", "go go on"},

	{"one of two alike deleted, the other changed", "Go!!", "Go!", "Go!?", "Go?"},
	{"deletions that would run words together", "a日 b", "a b", "a日b", "!"},

	{"space and word", "a b", "a  b", "c b", "c  b"},
	{"line and word", "a b", "a\nb", "a c", "a\nc"},
	{"deleted, and a line begun", "a b c", "a c", "a b\nc", "a\nc"},
	{"both deleted, behind a line begun", "a b c", "a c", "a\nb", "a\n"},
	{"the same space", "a b", "a  b", "a\nb", "!"},
	{"lines put in", "1\n2\n3", "1\n1.5\n2\n3", "1\n2\n2.5\n3", "1\n1.5\n2\n2.5\n3"},

	{"a list grows as its last is changed", "milk, eggs", "milk, eggs, bread", "milk, apples", "milk, apples, bread"},
	{"a list loses two", "a, b, c, d", "a, c, d", "a, b, d", "a, d"},
	{"a list loses its first two", "a, b, c", "b, c", "a, c", "c"},
	{"a list loses its last two", "a, b, c", "a, b", "a, c", "a"},
	{"a list loses the last, and gets one before", "a, b", "a", "a, x, b", "a, x"},
	{"what ends a sentence", "Ready.", "Ready!", "Done.", "Done!"},
	{"in brackets", "(old) plan", "(new) plan", "[old] plan", "[new] plan"},
	{"in quotes", "say \"yes\"", "say “yes”", "say \"no\"", "say “no”"},
	{"put into quotes as it is changed", "call Ann", "call \"Ann\"", "call Bob", "call \"Bob\""},

	{"times are whole", "at 10:30", "at 11:30", "at 10:45", "!"},
	{"dates are whole", "2026-01-02", "2026-03-02", "2026-01-05", "!"},
	{"decimals are whole", "3.14", "2.14", "3.15", "!"},
	{"signs are part of a number", "-5", "5", "-6", "!"},
	{"apostrophes are part of a word", "don't", "doesn't", "dont", "!"},
	{"addresses are whole", "https://a.org/x?y=1", "https://b.org/x?y=1", "https://a.org/x?y=2", "!"},

	{"accents", "café noir", "café blanc", "thé noir", "thé blanc"},
	{"letters with marks", "cafe\u0301 noir", "cafe\u0300 noir", "cafe\u0301 blanc", "cafe\u0300 blanc"},
	{"the same letter's marks", "cafe\u0301", "cafe\u0300", "cafe", "!"},
	{"Cyrillic", "один два", "раз два", "один три", "раз три"},
	{"Arabic", "واحد اثنان", "أول اثنان", "واحد ثان", "أول ثان"},
	{"Hangul has spaces", "우유 사기", "달걀 사기", "우유 팔기", "달걀 팔기"},
	{"Chinese", "今天买牛奶和鸡蛋", "明天买牛奶和鸡蛋", "今天买牛奶和面包", "明天买牛奶和面包"},
	{"Chinese, characters side by side", "今天", "明天", "今日", "!"},
	{"Chinese, at the end", "买牛奶", "买牛奶和鸡蛋", "买牛肉", "买牛肉和鸡蛋"},
	{"Japanese", "明日は晴れ。", "今日は晴れ。", "明日は雨。", "今日は雨。"},
	{"Thai", "ซื้อนมวันนี้", "ซื้อไข่วันนี้", "ซื้อนมพรุ่งนี้", "!"},
	{"words among characters", "用Go写", "用Rust写", "用Go读", "用Rust读"},
	{"emoji behind a word", "Plan✅", "Plan🎉", "Idea✅", "Idea🎉"},
	{"emoji of several parts", "👩‍👩‍👧 a", "👩‍👩‍👦 a", "👩‍👩‍👧 b", "👩‍👩‍👦 b"},
	{"parts of one emoji", "👩‍👩‍👧", "👩‍👩‍👦", "👩‍👨‍👧", "!"},
	{"skin tones", "👍🏻 a", "👍🏿 a", "👍🏻 b", "👍🏿 b"},
	{"flags", "🇩🇪🇫🇷 a", "🇩🇰🇫🇷 a", "🇩🇪🇫🇷 b", "🇩🇰🇫🇷 b"},
	{"no-break space", "10\u00a0km", "12\u00a0km", "10\u00a0m", "12\u00a0m"},
	{"control characters", "a\x00 b", "c\x00 b", "a\x00 d", "c\x00 d"},
	{"line separator", "a\u2028b", "c\u2028b", "a\u2028d", "c\u2028d"},
}

func TestMergeWords(t *testing.T) {
	for _, test := range mergeWords {
		t.Run(test.name, func(t *testing.T) {
			for _, sides := range [][2]string{{test.server, test.client}, {test.client, test.server}} {
				got, outcome := mergeTexts(test.base, sides[0], sides[1])
				if outcome == overlapping {
					got = "!"
				}
				if outcome == unmergeable || got != test.want {
					t.Errorf("base %q, server %q, client %q: got %q, want %q", test.base, sides[0], sides[1], got, test.want)
				}
			}
		})
	}
}

// TestMergeWordsInLongText: what is around the words does not matter, nor that most of it is not looked at.
func TestMergeWordsInLongText(t *testing.T) {
	long := strings.Repeat("words and words and more, ", 20)
	around := func(text string, before, behind string) string { return before + "Before " + text + " behind" + behind }
	for _, test := range mergeWords {
		want, outcome := mergeTexts(around(test.base, "", ""), around(test.server, "", ""), around(test.client, "", ""))
		want = strings.Replace(strings.Replace(want, "Before", long+"Before", 1), "behind", "behind"+long, 1)
		got, outcomeLong := mergeTexts(around(test.base, long, long), around(test.server, long, long), around(test.client, long, long))
		if got != want || outcome != outcomeLong {
			t.Errorf("%s: got %q, %d, want %q, %d", test.name, got, outcomeLong, want, outcome)
		}
	}
}

func TestTokenise(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""}, {" ", " "}, {"a", "a"}, {" a  b\t\n", " |a|  |b|\t\n"},
		{"Hello, world!", "Hello|,| |world|!"}, {"wait...", "wait|.|.|."}, {"...", ".|.|."}, {"(a) [b] {c}", "(|a|)| |[|b|]| |{|c|}"},
		{"don't e-mail a@b.org at 10:30, -5°C, $3.50 (50%)", "don't| |e-mail| |a@b.org| |at| |10:30|,| |-5°C|,| |$3.50| |(|50%|)"},
		{"„so“ «la» ¿qué? C# C++", "„|so|“| |«|la|»| |¿|qué|?| |C#| |C++"},
		{"你好，world。", "你|好|，|world|。"}, {"カタカナー", "カ|タ|カ|ナ|ー"}, {"か\u3099", "か\u3099"}, {"한국어 글", "한국어| |글"}, {"น้ำ", "น้|ำ"},
		{"用Go,写(C)。", "用|Go|,|写|(|C|)|。"}, {"ok👍🏽👩‍👩‍👧🇩🇪🇫🇷❤\ufe0f!", "ok|👍🏽|👩‍👩‍👧|🇩🇪|🇫🇷|❤\ufe0f|!"}, {"🇩a", "🇩|a"}, {"👩\u200d", "👩\u200d"}, {"1️⃣ x", "1️⃣| |x"},
		{"\u0301a\u200b", "\u0301a\u200b"}, {"a\u3000b\u00a0c\u2028d", "a|\u3000|b|\u00a0|c|\u2028|d"},
	}
	for _, test := range tests {
		tokens := tokenise(test.text)
		var got []string
		for i := range tokens.len() {
			got = append(got, tokens.at(i))
		}
		if strings.Join(got, "|") != test.want {
			t.Errorf("%q: got %q, want %q", test.text, strings.Join(got, "|"), test.want)
		}
		if tokens.between(0, tokens.len()) != test.text {
			t.Errorf("%q: something is missing in %q", test.text, got)
		}
	}
}

// TestMergedTextIsCanonical puts characters of all planes, of the lowest ones each, into a text that is merged.
func TestMergedTextIsCanonical(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) || r > 0x3100 && r < 0xff00 && r%251 > 0 || r > 0x10000 && r%257 > 0 {
			continue
		}
		word := "w" + string(r) + "w"
		server, client := mergeQuoted(word+" - b"), mergeQuoted("a - "+word)
		value, outcome := merge3(mergeQuoted("a - b"), server, client)
		if want := word + " - " + word; outcome != merged || projection.Text(value) != want {
			t.Fatalf("%U: got %s, %v, want %q", r, value, outcome, want)
		}
		if canonical, err := projection.Canonical(value); err != nil || string(canonical) != string(value) {
			t.Fatalf("%U: %s is not canonical, %s is: %v", r, value, canonical, err)
		}
	}
}
