package command

import "slices"

// This file finds what one side changed, by Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986) over tokens.
// It is our own because the usual libraries work on lines, bytes or runes, and are bounded by the clock or not at
// all; here equal texts give equal edits on every machine, and the work has a bound.

const (
	mergeEdits = 512     // tokens deleted and inserted above which no exact difference is sought
	mergeWork  = 1 << 19 // comparisons that a merge may cost above those in proportion to its texts: a few milliseconds
)

// textEdit replaces the tokens of the base from from up to to by tokens of a side, from start up to end.
type textEdit struct {
	from, to   int
	side       *tokens
	start, end int
}

func (e textEdit) inserts() bool { return e.from == e.to }
func (e textEdit) deletes() bool { return e.start == e.end }
func (e textEdit) text() string  { return e.side.between(e.start, e.end) }

// difference returns the edits that make side of base, in order, with at least one token of the base between two, and
// what finding them cost. Each pure insertion and deletion stands as far to the right as it can, so that the same
// edit is found in the same place whatever else a side changed. Where the exact edits would be too many or cost more
// than work, they are one that reaches from the first change to the last.
func difference(base, side *tokens, work int) ([]textEdit, int) {
	n, m, first := base.len(), side.len(), 0
	for first < n && first < m && base.at(first) == side.at(first) {
		first++
	}
	for n > first && m > first && base.at(n-1) == side.at(m-1) {
		n, m = n-1, m-1
	}
	whole := textEdit{from: first, to: n, side: side, start: first, end: m}
	switch {
	case whole.inserts() && whole.deletes():
		return nil, 0
	case whole.inserts() || whole.deletes():
		return []textEdit{whole}, 0
	}
	s := editSearch{base: base, side: side, first: first, n: n - first, m: m - first}
	s.work = work + s.n + s.m
	if !s.run() {
		return []textEdit{whole}, work
	}
	edits := s.edits()
	// The search goes along with what is equal as far as it can before it deletes or inserts. So only the last edit can
	// be moved on: into the end that was cut off.
	edits[len(edits)-1].slideRight(base)
	return edits, max(0, work-s.work)
}

// slideRight moves a pure insertion or deletion on while that leaves the side's text as it is.
func (e *textEdit) slideRight(base *tokens) {
	for e.to < base.len() {
		switch {
		case e.deletes() && base.at(e.from) == base.at(e.to):
		case e.inserts() && e.side.at(e.start) == base.at(e.to):
		default:
			return
		}
		e.from, e.to, e.start, e.end = e.from+1, e.to+1, e.start+1, e.end+1
	}
}

// slideLeft moves a pure insertion or deletion back by distance; false if that would change the text.
func (e *textEdit) slideLeft(base *tokens, distance int) bool {
	moved := *e
	for range distance {
		switch {
		case moved.from == 0:
			return false
		case e.deletes() && base.at(moved.from-1) == base.at(moved.to-1):
		case e.inserts() && e.side.at(moved.end-1) == base.at(moved.from-1):
		default:
			return false
		}
		moved.from, moved.to, moved.start, moved.end = moved.from-1, moved.to-1, moved.start-1, moved.end-1
	}
	*e = moved
	return true
}

// editSearch looks for the shortest way from (0, 0) to (n, m): a step along x deletes a token of the base, one along y
// inserts one of the side, and equal tokens lead on along both for nothing.
type editSearch struct {
	base, side  *tokens
	first, n, m int // the tokens that differ: n of the base and m of the side, from first on
	work        int

	// rows[d(d+1)/2+i] is the furthest x that d steps reach on the diagonal x-y = 2i-d.
	rows []int32
	d    int
}

func rowOf(rows []int32, d int) []int32 { return rows[d*(d+1)/2:][:d+1] }

// run fills the rows; false if that is too much work.
func (s *editSearch) run() bool {
	for s.d = 0; s.d <= min(mergeEdits, s.n+s.m); s.d++ {
		s.rows = append(s.rows, make([]int32, s.d+1)...)
		for i := range s.d + 1 {
			x := 0
			if s.d > 0 {
				x, _ = s.step(s.d, i)
			}
			y := x - (2*i - s.d)
			for x < s.n && y < s.m && s.equal(x, y) {
				x, y = x+1, y+1
			}
			rowOf(s.rows, s.d)[i] = int32(x)
			if x >= s.n && y >= s.m {
				return true
			}
			if s.work--; s.work < 0 {
				return false
			}
		}
	}
	return false
}

// step returns where the last of d steps leads to on diagonal i, and whether it inserts.
func (s *editSearch) step(d, i int) (x int, inserts bool) {
	before := rowOf(s.rows, d-1)
	if i == 0 || i < d && before[i-1] < before[i] {
		return int(before[i]), true
	}
	return int(before[i-1]) + 1, false
}

// equal costs more the longer the tokens are that it has to compare.
func (s *editSearch) equal(x, y int) bool {
	a, b := s.base.at(s.first+x), s.side.at(s.first+y)
	if len(a) != len(b) {
		return false
	}
	s.work -= 1 + len(a)>>6
	return a == b
}

// edits walks back the way that run found; steps with no equal token between them are one edit.
func (s *editSearch) edits() []textEdit {
	var edits []textEdit
	x, y := s.n, s.m
	for d := s.d; d > 0; d-- {
		i := (x - y + d) / 2
		toX, inserts := s.step(d, i)
		toY := toX - (2*i - d)
		x, y = toX, toY
		if inserts {
			y--
		} else {
			x--
		}
		if last := len(edits) - 1; last >= 0 && edits[last].from == s.first+toX && edits[last].start == s.first+toY {
			edits[last].from, edits[last].start = s.first+x, s.first+y
			continue
		}
		edits = append(edits, textEdit{from: s.first + x, to: s.first + toX, side: s.side, start: s.first + y, end: s.first + toY})
	}
	slices.Reverse(edits)
	return edits
}
