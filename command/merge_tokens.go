package command

import (
	"unicode"
	"unicode/utf8"
)

// tokens is a text in the parts that a merge by words treats as one: words, runs of white space, and the punctuation
// that sets words off. What stands between white space is one word, so that no merge makes a third date or time of
// two ("10:30", "-5", "don't", "a@b.org"), except that
//   - brackets and quotes around it, and the punctuation that ends it, are tokens each: a list grows at its comma;
//   - scripts that write words without spaces between them, and emoji, are one token for each character.
type tokens struct {
	text string
	ends []int32 // ends[i] is the offset behind token i-1; ends[0] is 0
}

func tokenise(text string) tokens {
	t := tokens{text: text, ends: make([]int32, 1, 2+len(text)/3)}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		from := at
		switch kind := runeKindOf(r); kind {
		case standalone:
			at += size + extent(r, text[at+size:])
			t.end(at)
		case whiteSpace:
			at += runOf(kind, text[at:])
			t.end(at)
		default:
			at += runOf(kind, text[at:])
			t.word(from, at)
		}
	}
	return t
}

func (t *tokens) end(at int) { t.ends = append(t.ends, int32(at)) }

func (t *tokens) len() int { return len(t.ends) - 1 }

func (t *tokens) at(i int) string { return t.text[t.ends[i]:t.ends[i+1]] }

// between returns the text of the tokens from from up to to.
func (t *tokens) between(from, to int) string { return t.text[t.ends[from]:t.ends[to]] }

// word adds the tokens of what stands between white space.
func (t *tokens) word(from, to int) {
	for from < to {
		r, size := utf8.DecodeRuneInString(t.text[from:to])
		if !opens(r) {
			break
		}
		from += size
		t.end(from)
	}
	last := to
	for from < last {
		r, size := utf8.DecodeLastRuneInString(t.text[from:last])
		if !closes(r) {
			break
		}
		last -= size
	}
	if from < last {
		t.end(last)
	}
	for last < to {
		_, size := utf8.DecodeRuneInString(t.text[last:to])
		last += size
		t.end(last)
	}
}

// runeKind says what a character makes a token with.
type runeKind int

const (
	spelling   runeKind = iota // others of its kind: a word
	whiteSpace                 // others of its kind
	standalone                 // nothing but what extends it
)

func runeKindOf(r rune) runeKind {
	switch {
	case r < utf8.RuneSelf:
		if r == ' ' || r >= '\t' && r <= '\r' {
			return whiteSpace
		}
		return spelling
	case unicode.IsSpace(r):
		return whiteSpace
	case standsAlone(r):
		return standalone
	}
	return spelling
}

// runOf returns the length of the run of kind that text begins with.
func runOf(kind runeKind, text string) int {
	for at := 0; at < len(text); {
		r, size := rune(text[at]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[at:])
		}
		if runeKindOf(r) != kind {
			return at
		}
		at += size
	}
	return len(text)
}

func opens(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '(' || r == '[' || r == '{' || r == '"' || r == '\''
	}
	return r == '¿' || r == '¡' || unicode.In(r, unicode.Ps, unicode.Quotation_Mark)
}

func closes(r rune) bool {
	if r < utf8.RuneSelf {
		switch r {
		case '.', ',', ';', ':', '!', '?', ')', ']', '}', '"', '\'':
			return true
		}
		return false
	}
	return r == '…' || unicode.In(r, unicode.Pe, unicode.Quotation_Mark, unicode.Terminal_Punctuation)
}

// standsAlone tells whether r is a token although no space surrounds it: CJK with its punctuation, the scripts of
// South-East Asia, emoji and other pictures.
func standsAlone(r rune) bool {
	switch {
	case r < 0x0e00, r >= 0xac00 && r <= 0xd7ff: // alphabets, Hangul
		return false
	case r >= 0x3000 && r <= 0x9fff, r >= 0xff01 && r <= 0xff9f:
		return true
	}
	return unicode.In(r, unicode.Han, unicode.So, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Hiragana, unicode.Katakana)
}

// extent returns the length of what follows the character first and belongs to it: marks, the rest of an emoji that is
// made of several, the second half of a flag.
func extent(first rune, rest string) int {
	half, joined := isRegional(first), false
	for i, r := range rest {
		switch {
		case joined, half && isRegional(r):
			half, joined = false, false
		case r == zeroWidthJoiner:
			joined = true
		case r >= 0x1f3fb && r <= 0x1f3ff, r >= 0xe0020 && r <= 0xe007f, unicode.Is(unicode.M, r): // skin tones, tags
		default:
			return i
		}
	}
	return len(rest)
}

const zeroWidthJoiner = '\u200d'

// isRegional tells whether r is a letter of the two that make a flag.
func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }
