package archive

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"graphy/eventstore"
)

// Writer writes graphs one after the other into a file: a single zstd stream of JSON Lines, which zstdcat shows. It
// verifies what it is given, and keeps of it no more than a buffer and the Manifest. It is for one goroutine. After an
// error it does nothing any more, and what was written is no archive: call Abort.
type Writer struct {
	sealing  *sealing
	encoder  *zstd.Encoder // nil when it is closed
	text     []byte        // lines that are not handed to encoder yet
	graph    string        // that is begun, or ""
	begin    eventstore.Hash
	from     eventstore.Position
	link     *link
	written  map[string]bool
	manifest Manifest
	failed   error
}

// writerBuffer is how much text is handed to the encoder at once.
const writerBuffer = 256 << 10

var errClosed = errors.New("archive: closed")

// NewWriter begins a file in w, which stays the caller's to close. It is followed by Close, or by Abort.
func NewWriter(w io.Writer) (*Writer, error) {
	sealing := newSealing(w)
	encoder, err := zstd.NewWriter(sealing, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	writer := &Writer{sealing: sealing, encoder: encoder, written: map[string]bool{},
		text:     make([]byte, 0, writerBuffer+writerBuffer/4),
		manifest: Manifest{Created: time.Now().UnixMilli(), Graphs: []Entry{}}}
	writer.text, err = appendLine(writer.text, header{Archive: format, Created: writer.manifest.Created})
	return writer, err
}

// Begin begins a graph, whose events follow base (zero: begin with version 1). Each graph is in a file once.
func (w *Writer) Begin(graph string, base eventstore.Base) error {
	if w.failed == nil && (w.graph != "" || w.written[graph]) {
		w.failed = fmt.Errorf("archive: %q cannot begin: a graph is not ended, or it was written before", graph)
	}
	return w.do(func() (err error) {
		before := len(w.text)
		if w.text, err = appendBegin(w.text, header{}, graph, base); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		w.begin = hashOfLine(w.text[before:])
		w.graph, w.from, w.link = graph, base.Position, newLink(base.Position)
		w.written[graph] = true
		return nil
	})
}

// Write adds events, oldest first. Those that do not follow are a *eventstore.ChainError. It does not keep them.
func (w *Writer) Write(events []eventstore.Event) error {
	return w.do(func() error {
		if w.graph == "" {
			return errors.New("archive: no graph is begun")
		}
		for i := range events {
			if err := w.link.follow(w.graph, &events[i]); err != nil {
				return err
			}
			if w.text = appendEvent(w.text, &events[i]); len(w.text) < writerBuffer {
				continue
			}
			if err := w.flush(); err != nil {
				return err
			}
		}
		return nil
	})
}

// End ends the graph, and returns what is in the file of it.
func (w *Writer) End() (Segment, error) {
	var segment Segment
	err := w.do(func() (err error) {
		if w.graph == "" {
			return errors.New("archive: no graph is begun")
		}
		to, events := w.link.position(), int64(w.link.version-w.from.Version)
		if w.text, err = appendLine(w.text, end{To: to, Events: events, Begin: w.begin}); err != nil {
			return err
		}
		segment = Segment{GraphID: w.graph, From: w.from, To: to}
		w.manifest.Graphs = append(w.manifest.Graphs, Entry{GraphID: w.graph, From: w.from, To: to, Events: events})
		w.graph = ""
		return nil
	})
	return segment, err
}

// Manifest returns what was written: the graphs that have ended.
func (w *Writer) Manifest() Manifest {
	return Manifest{Created: w.manifest.Created, Graphs: slices.Clone(w.manifest.Graphs)}
}

// Close writes the manifest and what is left. Without it a file is none.
func (w *Writer) Close() error {
	defer w.Abort()
	return w.do(func() (err error) {
		if w.graph != "" {
			return fmt.Errorf("archive: graph %q is not ended", w.graph)
		}
		if w.text, err = appendLine(w.text, manifestLine{w.manifest}); err != nil {
			return err
		}
		if err := w.flush(); err != nil {
			return err
		}
		if err := w.encoder.Close(); err != nil {
			return err
		}
		return w.sealing.close()
	})
}

// Abort gives up, unless Close has done its work: what was written is no archive.
func (w *Writer) Abort() {
	if w.encoder != nil {
		w.encoder.Reset(nil) // waits for what it has under way
		w.encoder = nil
	}
	if w.failed == nil {
		w.failed = errClosed
	}
}

func (w *Writer) flush() error {
	_, err := w.encoder.Write(w.text)
	if w.text = w.text[:0]; cap(w.text) > 16*writerBuffer { // there was a very large event
		w.text = make([]byte, 0, writerBuffer+writerBuffer/4)
	}
	return err
}

// do does step, and nothing once one has failed.
func (w *Writer) do(step func() error) error {
	if w.failed == nil {
		w.failed = step()
	}
	return w.failed
}
