package embedded

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
)

// A visit is called with every record of a journal, oldest first: its encoded size, and the offset of the file that
// has been read up to. The events' data are valid during the call only.
type visit func(r record, size int, read int64) error

// openJournal opens the journal at path, creating it if need be, and replays its records. A torn end is cut off; any
// other damage is a *CorruptError.
func openJournal(path string, logger *zap.Logger, begin func(total int64), replay visit) (*journal, error) {
	if err := ensureFile(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f}
	if err = j.read(f, path, logger, begin, replay); err == nil {
		// What a killed process wrote and did not sync has just been replayed: from here on others see it.
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// read replays f, cuts off its torn end and finds out where the next frame goes.
func (j *journal) read(f *os.File, path string, logger *zap.Logger, begin func(total int64), replay visit) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if j.format, err = readHeader(f, path); err != nil {
		return err
	}
	if j.format == 0 {
		if err := j.lift(newestFormat); err != nil {
			return err
		}
	}
	begin(info.Size())
	j.end = info.Size()
	err = eachRecord(f, path, info.Size(), replay)
	if bad := (*badFrame)(nil); errors.As(err, &bad) {
		j.end = bad.offset
		return cutTornEnd(f, path, bad, info.Size(), logger)
	}
	return err
}

// eachRecord visits the records between the header and size. It ends with a *badFrame where there is no whole frame.
func eachRecord(f io.ReaderAt, path string, size int64, visit visit) error {
	frames := frameReader{
		source: bufio.NewReaderSize(io.NewSectionReader(f, headerSize, size-headerSize), 1<<20),
		offset: headerSize, size: size,
	}
	for {
		start := frames.offset
		payload, err := frames.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read journal %s: %w", path, err)
		}
		for len(payload) > 0 {
			r, rest, err := decodeRecord(payload)
			if err != nil { // the checksum is right, so it is not torn: it was written like that
				return &CorruptError{File: path, Offset: start, Reason: err.Error()}
			}
			if err := visit(r, len(payload)-len(rest), frames.offset); err != nil {
				return err
			}
			payload = rest
		}
	}
}

// cutTornEnd truncates f to the frames before bad, unless whole ones follow.
func cutTornEnd(f file, path string, bad *badFrame, size int64, logger *zap.Logger) error {
	next, err := findFrame(f, bad.offset+1, size)
	if err != nil {
		return fmt.Errorf("read journal %s after offset %d: %w", path, bad.offset, err)
	}
	if next >= 0 {
		return &CorruptError{File: path, Offset: bad.offset,
			Reason: fmt.Sprintf("%s, though a whole frame follows at offset %d", bad.reason, next)}
	}
	logger.Warn("journal ended in the middle of a write, which was never acknowledged; cut it off",
		zap.String("file", path), zap.Int64("offset", bad.offset), zap.Int64("bytes", size-bad.offset),
		zap.String("reason", bad.reason))
	return f.Truncate(bad.offset)
}
