package embedded

import (
	"fmt"
	"io"

	"graphy/eventstore"
)

// compactAbove is the least number of dead bytes worth a rewrite.
const compactAbove = 1 << 20

// worthCompacting says whether deleted graphs, trimmed events and what was replaced make up most of the journal.
func worthCompacting(dead, size int64) bool { return dead >= compactAbove && dead > size/2 }

// A transform says which records take the place of the number-th of a journal, none to drop it.
type transform func(number int64, r record) []record

// compactJournal writes what survive makes of the records of the journal old, to be installed at path.
func compactJournal(old *journal, path string, survive transform) (temporary string, err error) {
	return writeFile(path, old.format, func(w io.Writer) error {
		number := int64(-1)
		frame := beginFrame(0)
		flush := func() error {
			endFrame(frame)
			_, err := w.Write(frame)
			frame = frame[:frameHeader]
			return err
		}
		err := eachRecord(old.file, path, old.end, func(r record, _ int, _ int64) error {
			number++
			for _, r := range survive(number, r) {
				if held := len(frame) - frameHeader; held > 0 && held+r.encodedSize() > compactAbove {
					if err := flush(); err != nil {
						return err
					}
				}
				frame = r.appendTo(frame)
			}
			return nil
		})
		if err == nil && len(frame) > frameHeader {
			err = flush()
		}
		if err != nil {
			return fmt.Errorf("compact journal %s: %w", path, err)
		}
		return nil
	})
}

// survivors returns the transform to a journal that comes to the same streams, without those that were deleted,
// replaced or abandoned, and without what was trimmed: before the first record of a trimmed stream stands what it
// begins after. Of a broken stream all stays as it is.
func (p *replayer) survivors() transform {
	made := map[string]*life{}
	for _, l := range p.lives {
		if l.made != "" {
			made[l.made] = l
		}
	}
	begun := map[*life]bool{}
	return func(number int64, r record) []record {
		l := p.lives[r.stream]
		if isRewriting(r.stream) {
			l = made[r.stream]
		} else if l != nil && number < l.first {
			l = nil
		}
		switch {
		case l == nil:
			return nil
		case l.broken != nil:
			return []record{r}
		}
		var records []record
		if !begun[l] && l.floor.Version > 0 {
			records = append(records, record{kind: kindTrim, stream: r.stream, position: l.floor})
		}
		begun[l] = true
		if r, ok := l.remains(number, r); ok {
			records = append(records, r)
		}
		return records
	}
}

// remains returns what is left of a record that is part of the life.
func (l *life) remains(number int64, r record) (record, bool) {
	switch r.kind {
	case kindAppend:
		last := r.expected + eventstore.Version(len(r.events))
		if last <= l.floor.Version {
			return record{}, false
		}
		if r.expected < l.floor.Version {
			r.events, r.expected = r.events[l.floor.Version-r.expected:], l.floor.Version
		}
		return r, true
	case kindBase:
		return r, number == l.based
	default:
		return r, r.kind == kindRename || r.kind == kindIndex
	}
}
