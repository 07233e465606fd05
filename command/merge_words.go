package command

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// strings merges texts by words. Edits of different tokens merge, also where they touch: a word may be changed and the
// next one deleted. What both did alike counts once. Edits of the same token, and insertions at the same place, which
// have no order, overlap.
func (m *merger) strings(base, server, client jsontext.Value) (jsontext.Value, mergeOutcome) {
	if len(base) == 0 || base[0] != '"' {
		return nil, unmergeable
	}
	if m.bytes -= len(base) + len(server) + len(client); m.bytes < 0 {
		return nil, overlapping
	}
	texts := [3]string{projection.Text(base), projection.Text(server), projection.Text(client)}
	head, tail := trimCommon(&texts)
	from, theirs, ours := tokenise(texts[0]), tokenise(texts[1]), tokenise(texts[2])
	// Either may cost half of what is left, whatever the other costs: the outcome must not depend on which is first.
	edits, cost := difference(&from, &theirs, m.work/2)
	more, costMore := difference(&from, &ours, m.work/2)
	m.work -= cost + costMore

	edits, ok := unite(&from, append(edits, more...))
	if !ok {
		return nil, overlapping
	}
	text, ok := applyEdits(&from, edits)
	if !ok {
		return nil, overlapping
	}
	written, err := jsontext.AppendQuote(nil, head+text+tail)
	if err != nil { // not valid UTF-8, which no canonical string holds
		return nil, unmergeable
	}
	return written, merged
}

// mergeContext is how much of what all texts have in common stays with what they have not, for edits to move in.
const mergeContext = 128

// trimCommon cuts off what the texts begin and end with alike: most of a long text in which something was changed.
// Each cut is behind a word and before a space, where tokens end in every text.
func trimCommon(texts *[3]string) (head, tail string) {
	most := min(len(texts[0]), len(texts[1]), len(texts[2]))
	common := 0
	for common < most && texts[0][common] == texts[1][common] && texts[0][common] == texts[2][common] {
		common++
	}
	if cut := strings.LastIndexByte(texts[0][:max(0, common-mergeContext)], ' '); cut > 0 && isASCIILetter(texts[0][cut-1]) {
		head = texts[0][:cut]
		for i, text := range texts {
			texts[i] = text[cut:]
		}
	}
	most, common = most-len(head), 0
	end := func(i int) byte { return texts[i][len(texts[i])-1-common] }
	for common < most && end(0) == end(1) && end(0) == end(2) {
		common++
	}
	last := texts[0][len(texts[0])-max(0, common-mergeContext):]
	if cut := strings.IndexByte(last, ' '); cut > 0 && isASCIILetter(last[cut-1]) {
		tail = last[cut:]
		for i, text := range texts {
			texts[i] = text[:len(text)-len(tail)]
		}
	}
	return head, tail
}

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// unite brings the edits of both sides into one list, in order, of which no two overlap; false if there is none.
func unite(base *tokens, edits []textEdit) ([]textEdit, bool) {
	slices.SortFunc(edits, func(a, b textEdit) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.end-a.start, b.end-b.start))
	})
	var united []textEdit
	for _, e := range edits {
		last := len(united) - 1
		switch {
		case last < 0:
		case united[last].from == e.from && united[last].to == e.to && united[last].text() == e.text():
			continue
		case united[last].to > e.from:
			var ok bool
			if united, ok = separate(base, united, e); !ok {
				return nil, false
			}
			continue
		case !mayFollow(base, united[last], e):
			return nil, false
		}
		united = append(united, e)
	}
	return united, true
}

// mayFollow tells whether b may stand behind a, which ends where b begins or before. Where they touch, text of both
// has an order only if the base has a token for one of them; and among characters without spaces between them two edits
// side by side are likely of one word.
func mayFollow(base *tokens, a, b textEdit) bool {
	if a.to < b.from {
		return true
	}
	if a.inserts() && b.inserts() {
		return false
	}
	seam := a.to
	return seam == 0 || seam == base.len() || !isAlone(base.at(seam-1)) || !isAlone(base.at(seam))
}

func isAlone(token string) bool {
	r, _ := utf8.DecodeRuneInString(token)
	return runeKindOf(r) == standalone
}

// separate adds e, which overlaps the last of the united edits. A deletion or insertion may stand in several places
// and mean the same ("a b c" without b lacks either space), so there may be one where the two do not overlap. Parts
// that both deleted are deleted once.
func separate(base *tokens, united []textEdit, e textEdit) ([]textEdit, bool) {
	last := len(united) - 1
	a := united[last]
	if a.deletes() && (!e.deletes() || e.to > a.to) {
		near := united[max(0, last-mergeReach):]
		saved := slices.Clone(near)
		if makeRoom(base, united, e.from, mergeReach) && mayFollow(base, united[last], e) {
			return append(united, e), true
		}
		copy(near, saved)
	}
	if moved := e; e.inserts() && e.from-a.from <= mergeReach && moved.slideLeft(base, e.from-a.from) {
		if mayFollow(base, moved, a) && (last == 0 || mayFollow(base, united[last-1], moved)) {
			return append(united[:last], moved, a), true
		}
	}
	if a.deletes() && e.deletes() {
		united[last].to = max(a.to, e.to)
		return united, true
	}
	return nil, false
}

// mergeReach bounds how far edits are moved to make room, and how many of them. In texts that people write it is a
// space or a comma.
const mergeReach = 16

// makeRoom moves the last edit back until it ends at limit or before, and up to reach of those before it where they
// are in its way. Where it is false, it has moved some in vain.
func makeRoom(base *tokens, united []textEdit, limit, reach int) bool {
	last := len(united) - 1
	distance := united[last].to - limit
	if distance <= 0 {
		return true
	}
	if reach == 0 || distance > mergeReach || !united[last].slideLeft(base, distance) {
		return false
	}
	return last == 0 || makeRoom(base, united[:last], united[last].from, reach-1) && mayFollow(base, united[last-1], united[last])
}

// applyEdits makes the edits; false if that runs words together that neither side put side by side.
func applyEdits(base *tokens, edits []textEdit) (string, bool) {
	var text strings.Builder
	text.Grow(len(base.text))
	last, at, glued := "", 0, false
	add := func(from *tokens, start, end int) {
		if start < end {
			glued = glued || last != "" && !apart(last, from.at(start))
			text.WriteString(from.between(start, end))
			last = from.at(end - 1)
		}
	}
	for _, e := range edits {
		add(base, at, e.from)
		add(e.side, e.start, e.end)
		at = e.to
	}
	add(base, at, base.len())
	return text.String(), !glued
}

// apart tells whether two tokens stay two when one stands behind the other.
func apart(a, b string) bool {
	both := tokenise(a + b)
	return slices.Contains(both.ends, int32(len(a)))
}
