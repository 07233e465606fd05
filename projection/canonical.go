package projection

import (
	"bytes"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Canonical returns value in canonical form (RFC 8785), in memory of its own. It refuses what is not one JSON value
// with unique names and valid UTF-8.
func Canonical(value []byte) (jsontext.Value, error) {
	if canonical, ok := CanonicalPlain(value); ok {
		return canonical, nil
	}
	canonical := jsontext.Value(bytes.Clone(value))
	if err := canonical.Canonicalize(); err != nil {
		return nil, err
	}
	return canonical, nil
}

// CanonicalPlain is Canonical in one pass for the JSON that clients write most: ASCII strings without escapes, numbers
// without exponent, integers of up to 15 digits. It is false for anything else, malformed text included; what it
// accepts has the bytes that Canonical gives, and a double holds each of its integers.
func CanonicalPlain(value []byte) (jsontext.Value, bool) {
	p := plains.Get().(*plain)
	p.source, p.at, p.written, p.members = value, 0, make([]byte, 0, len(value)), p.members[:0]
	ok := p.value(0)
	p.space()
	ok = ok && p.at == len(value)
	canonical := p.written
	p.source, p.written = nil, nil
	if cap(p.scratch) <= plainKept && cap(p.members) <= plainKept/memberSize {
		plains.Put(p)
	}
	if !ok {
		return nil, false
	}
	return canonical, true
}

// plains holds the memory that sorting members takes.
var plains = sync.Pool{New: func() any { return new(plain) }}

const (
	plainKept   = 32 << 10 // bytes of scratch, or of members, above which memory is not kept for others
	memberSize  = 24       // bytes that a memberSpan takes
	plainDepth  = 64       // levels of nesting that CanonicalPlain descends to
	plainNumber = 32       // longest number that it reads, in bytes
	exactDigits = 15       // decimal digits that a double always holds
)

// plain copies a JSON text into canonical form; each method takes one thing off the source, false if it is not plain.
type plain struct {
	source  []byte
	at      int // offset of what is next; an index: a slice that moves has a write barrier
	written []byte
	members []memberSpan // of the objects that are open
	scratch []byte
}

// memberSpan is where a member stands in what was written: its name, between the quotes, and where its value ends.
type memberSpan struct{ name, nameEnd, end int }

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// next returns the next byte that is no white space, 0 at the end, without taking it off.
func (p *plain) next() byte {
	if p.space(); p.at == len(p.source) {
		return 0
	}
	return p.source[p.at]
}

func (p *plain) space() {
	for p.at < len(p.source) && isSpace(p.source[p.at]) {
		p.at++
	}
}

// take takes c off, and the white space before it.
func (p *plain) take(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}

func (p *plain) value(depth int) bool {
	if depth > plainDepth {
		return false
	}
	switch p.next() {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return p.text()
	case 't':
		return p.literal("true")
	case 'f':
		return p.literal("false")
	case 'n':
		return p.literal("null")
	}
	return p.number()
}

func (p *plain) literal(text string) bool {
	end := p.at + len(text)
	if end > len(p.source) || string(p.source[p.at:end]) != text {
		return false
	}
	p.keep(end)
	return true
}

// keep writes what stands before end as it is.
func (p *plain) keep(end int) {
	p.written = append(p.written, p.source[p.at:end]...)
	p.at = end
}

func (p *plain) text() bool {
	for i := p.at + 1; i < len(p.source); i++ {
		switch c := p.source[i]; {
		case c == '"':
			p.keep(i + 1)
			return true
		case c < ' ' || c >= 0x80 || c == '\\':
			return false
		}
	}
	return false
}

func (p *plain) array(depth int) bool {
	p.keep(p.at + 1)
	if p.take(']') {
		p.written = append(p.written, ']')
		return true
	}
	for p.value(depth + 1) {
		if p.take(']') {
			p.written = append(p.written, ']')
			return true
		}
		if !p.take(',') {
			return false
		}
		p.written = append(p.written, ',')
	}
	return false
}

func (p *plain) object(depth int) bool {
	p.keep(p.at + 1)
	if p.take('}') {
		p.written = append(p.written, '}')
		return true
	}
	first, sorted := len(p.members), true
	for p.member(depth) {
		if last := len(p.members) - 1; last > first {
			sorted = sorted && bytes.Compare(p.name(p.members[last-1]), p.name(p.members[last])) < 0
		}
		if p.take('}') {
			ok := sorted || p.sort(p.members[first:])
			p.members = p.members[:first]
			p.written = append(p.written, '}')
			return ok
		}
		if !p.take(',') {
			return false
		}
		p.written = append(p.written, ',')
	}
	return false
}

func (p *plain) member(depth int) bool {
	if p.next() != '"' {
		return false
	}
	name := len(p.written) + 1
	if !p.text() || !p.take(':') {
		return false
	}
	nameEnd := len(p.written) - 1
	p.written = append(p.written, ':')
	if !p.value(depth + 1) {
		return false
	}
	p.members = append(p.members, memberSpan{name, nameEnd, len(p.written)})
	return true
}

func (p *plain) name(m memberSpan) []byte { return p.written[m.name:m.nameEnd] }

// sort brings the members that were written last into order; false if two have one name. ASCII sorts by its bytes.
func (p *plain) sort(members []memberSpan) bool {
	start := members[0].name - 1
	slices.SortFunc(members, func(a, b memberSpan) int { return bytes.Compare(p.name(a), p.name(b)) })
	sorted := p.scratch[:0]
	for i, m := range members {
		if i > 0 {
			if bytes.Equal(p.name(members[i-1]), p.name(m)) {
				return false
			}
			sorted = append(sorted, ',')
		}
		sorted = append(sorted, p.written[m.name-1:m.end]...)
	}
	copy(p.written[start:], sorted)
	p.scratch = sorted
	return true
}

// number takes a number without exponent off. Up to 15 digits and a last one that is not a needless zero, it is
// written as the shortest text of its double already; other fractions are read and written anew.
func (p *plain) number() bool {
	rest := p.source[p.at:]
	digits := 0 // index of the first
	if len(rest) > 0 && rest[0] == '-' {
		digits = 1
	}
	point := digits + countDigits(rest[digits:])
	if whole := point - digits; whole == 0 || whole > 1 && rest[digits] == '0' {
		return false
	}
	end := point
	if point < len(rest) && rest[point] == '.' {
		end += 1 + countDigits(rest[point+1:])
		if end == point+1 {
			return false
		}
	}
	if end > plainNumber || end < len(rest) && (rest[end] == 'e' || rest[end] == 'E') {
		return false
	}
	small := rest[digits] == '0'
	switch {
	case end == point:
		if end-digits > exactDigits || small && digits > 0 { // too long, or -0
			return false
		}
	case end-digits-1 > exactDigits || rest[end-1] == '0' || small && rest[point+1] == '0':
		number, err := strconv.ParseFloat(string(rest[:end]), 64)
		if err != nil {
			return false
		}
		if number == 0 {
			number = 0 // -0 is written 0
		}
		p.written = jsontext.AppendFloat(p.written, number, 64)
		p.at += end
		return true
	}
	p.keep(p.at + end)
	return true
}

func countDigits(text []byte) int {
	for i, c := range text {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(text)
}
