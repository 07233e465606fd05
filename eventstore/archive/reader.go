package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"graphy/eventstore"
)

// Reader reads a file that a Writer wrote, and verifies all of it on the way: what it returns chains. Whether the file is
// whole is known at its end only. It needs the memory of a page and the Manifest. It is for one goroutine.
type Reader struct {
	decoder  *zstd.Decoder
	lines    *lines
	run      *run // of the graph that is being read, or nil
	seen     map[string]bool
	manifest Manifest
	failed   error // io.EOF: all is read, and fits
}

const (
	readerWindow   = 64 << 20 // how far back a file may make zstd look; a Writer keeps to less
	manifestPrefix = `{"manifest":`
)

// NewReader begins to read the file in r, which stays the caller's to close. It is followed by Close. What is no archive
// from the start is ErrDamaged.
func NewReader(r io.Reader) (*Reader, error) {
	decoder, err := zstd.NewReader(newUnsealing(r), zstd.WithDecoderMaxWindow(readerWindow))
	if err != nil {
		return nil, err
	}
	reader := &Reader{decoder: decoder, lines: newLines(decoder), seen: map[string]bool{}}
	if err := reader.begin(); err != nil {
		return nil, reader.fail(err)
	}
	return reader, nil
}

func (r *Reader) begin() error {
	line, err := r.lines.next()
	if err != nil {
		return err
	}
	var head header
	if err := parseLine(line, &head); err != nil {
		return err
	}
	if head.Archive != format || head.GraphID != "" || head.From != nil {
		return damaged("line %.80q does not begin an archive of format %d", line, format)
	}
	r.manifest.Created = head.Created
	return nil
}

// Next goes on to the next graph, past what was not read of the one before, and returns its id and base (zero: its events
// begin with version 1), of which Read is sure when it comes to the end. It returns io.EOF after the last one, if the file is whole and its manifest fits: until then
// nothing that was read is sure to be all there is. Its other errors are ErrDamaged, and those of the source.
func (r *Reader) Next() (string, eventstore.Base, error) {
	for r.failed == nil && r.run != nil {
		_, _ = r.Read(0) // failed tells
	}
	if r.failed != nil {
		return "", eventstore.Base{}, r.failed
	}
	line, err := r.lines.next()
	if err != nil {
		return "", eventstore.Base{}, r.fail(err)
	}
	if bytes.HasPrefix(line, []byte(manifestPrefix)) {
		return "", eventstore.Base{}, r.fail(r.finish(line))
	}
	head, begin, err := parseBegin(line, 0)
	if err == nil && r.seen[head.GraphID] {
		err = damaged("graph %q is there twice", head.GraphID)
	}
	if err != nil {
		return "", eventstore.Base{}, r.fail(err)
	}
	r.seen[head.GraphID] = true
	r.run = newRun(head, begin, r.lines)
	return head.GraphID, eventstore.Base{Position: *head.From, Data: head.Base}, nil
}

// Read returns up to limit (0: SegmentEvents) further events of the graph, fewer when they are large, which are the
// caller's to keep. It returns io.EOF, and none, after the last one, when all that was read of the graph was verified.
func (r *Reader) Read(limit int) ([]eventstore.Event, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	if r.run == nil {
		return nil, io.EOF
	}
	events, err := r.run.page(limit)
	if errors.Is(err, io.EOF) && r.run.done {
		r.manifest.Graphs = append(r.manifest.Graphs, Entry{GraphID: r.run.graph, From: r.run.from,
			To: r.run.link.position(), Events: r.run.events()})
		r.run = nil
		return nil, io.EOF
	}
	if err != nil {
		return nil, r.fail(err)
	}
	return events, nil
}

// finish compares what was read with the manifest, and sees that nothing follows it.
func (r *Reader) finish(line []byte) error {
	var found manifestLine
	if err := parseLine(line, &found); err != nil {
		return err
	}
	if found.Manifest.Created != r.manifest.Created || !slices.Equal(found.Manifest.Graphs, r.manifest.Graphs) {
		return damaged("the manifest names %d graphs, which are not the %d before it", len(found.Manifest.Graphs), len(r.manifest.Graphs))
	}
	return r.lines.close()
}

// Manifest returns what was read so far: the graphs of which all was read; after io.EOF it is that of the file.
func (r *Reader) Manifest() Manifest {
	return Manifest{Created: r.manifest.Created, Graphs: slices.Clone(r.manifest.Graphs)}
}

// Close lets go of memory and goroutines. A Reader that has ended, in io.EOF or another error, has done so by itself.
func (r *Reader) Close() error {
	if r.failed == nil {
		r.failed = errClosed
		r.decoder.Close()
	}
	return nil
}

// fail ends the Reader with err, nil for a whole file, and returns what callers get.
func (r *Reader) fail(err error) error {
	source, isSource := errors.AsType[*sourceError](err)
	switch {
	case err == nil:
		err = io.EOF
	case isSource && errors.Is(source, io.ErrUnexpectedEOF):
		err = damaged("it was cut off: %w", source)
	case isSource:
		err = fmt.Errorf("read archive: %w", source.error)
	case errors.Is(err, io.EOF):
		err = damaged("it ends without a manifest")
	case !errors.Is(err, ErrDamaged):
		err = damaged("decompress: %w", err)
	}
	r.failed = err
	r.decoder.Close()
	return err
}
