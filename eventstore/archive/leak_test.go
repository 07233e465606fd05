package archive

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"graphy/eventstore"
)

// Whoever gives up in the middle, closing, leaves nothing behind; nor does one that ended by itself, unclosed.
func TestI10NothingIsLeftOfFiles(t *testing.T) {
	file := write(t, content{graph: "g", events: lively(4_000)})
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, end := range []func(r *Reader) error{
		func(r *Reader) error { return r.Close() },
		func(r *Reader) error { _, _, err := r.Next(); return errors.Join(err, r.Close()) },
		func(r *Reader) error {
			_, _, err := r.Next()
			_, reading := r.Read(10)
			return errors.Join(err, reading, r.Close(), r.Close())
		},
		func(r *Reader) error {
			_, _, err := r.Next()
			for err == nil {
				_, err = r.Read(0)
			}
			if _, _, err = r.Next(); err == io.EOF {
				err = nil
			}
			return err
		},
	} {
		reader, err := NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if err := end(reader); err != nil {
			t.Error(err)
		}
	}
	for _, source := range []io.Reader{bytes.NewReader(nil), bytes.NewReader(file[:20]), iotest.ErrReader(io.ErrClosedPipe)} {
		if _, err := NewReader(source); err == nil {
			t.Error("a reader of nothing")
		}
	}
	if _, _, err := read(bytes.NewReader(file[:len(file)/2]), 0); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	reader, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	if _, _, err := reader.Next(); err == nil || err == io.EOF || errors.Is(err, ErrDamaged) {
		t.Errorf("closed: got %v", err)
	}
	for _, w := range []io.Writer{io.Discard, &full{1_000}} {
		writer, err := NewWriter(w)
		if err != nil {
			t.Fatal(err)
		}
		writer.Begin("g", eventstore.Base{})
		writer.Write(lively(4_000))
		writer.Abort()
		writer.Abort()
		if err := writer.Close(); err == nil {
			t.Error("closed after giving up")
		}
	}
}
