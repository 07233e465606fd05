package embedded

import (
	"fmt"
	"io"
)

// compactAbove is the least number of dead bytes worth a rewrite.
const compactAbove = 1 << 20

// worthCompacting says whether deleted graphs make up most of the journal.
func worthCompacting(dead, size int64) bool { return dead >= compactAbove && dead > size/2 }

// compactJournal writes a copy of the journal at path that holds only the records that keep wants, to be installed in
// its place; number counts the records from 0.
func compactJournal(old io.ReaderAt, size int64, path string, keep func(number int64, r record) bool) (temporary string, err error) {
	return writeFile(path, func(w io.Writer) error {
		number := int64(-1)
		frame := beginFrame(0)
		flush := func() error {
			endFrame(frame)
			_, err := w.Write(frame)
			frame = frame[:frameHeader]
			return err
		}
		err := eachRecord(old, path, size, func(r record, _ int, _ int64) error {
			number++
			if !keep(number, r) {
				return nil
			}
			if held := len(frame) - frameHeader; held > 0 && held+r.encodedSize() > compactAbove {
				if err := flush(); err != nil {
					return err
				}
			}
			frame = r.appendTo(frame)
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
