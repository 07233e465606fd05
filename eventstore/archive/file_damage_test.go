package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"graphy/eventstore"
)

// Cut off after any byte, and with any byte changed, a file is found to be damaged, and what it gives until then is right.
func TestDamagedFile(t *testing.T) {
	long := history(eventstore.Position{}, 30, "long")
	want := []content{{graph: "g", events: long}, {graph: "h", base: eventstore.Base{Position: long[9].Position(), Data: []byte("state")}, events: long[10:12]}}
	file := write(t, want...)
	check := func(what string, spoiled []byte) {
		t.Helper()
		got, _, err := read(bytes.NewReader(spoiled), 4)
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s: got %d graphs, %v, want ErrDamaged", what, len(got), err)
		}
		sameContents(t, got, want[:len(got)])
	}
	for cut := range file {
		check(fmt.Sprintf("cut after %d bytes", cut), file[:cut])
	}
	for at := range file {
		for _, flip := range []byte{1 << (at % 8), 255} {
			spoiled := bytes.Clone(file)
			spoiled[at] ^= flip
			check(fmt.Sprintf("byte %d of %d flipped by %d", at, len(file), flip), spoiled)
		}
	}
	check("twice", append(bytes.Clone(file), file...))
	check("a byte too many", append(bytes.Clone(file), 0))
}

// An error of the source is passed on, so that it is not taken for damage; a body that was cut off is damage.
func TestSourceOfFileFails(t *testing.T) {
	file := write(t, someContents()...)
	broken := errors.New("broken")
	for at := range len(file) {
		if at%997 > 0 {
			continue
		}
		if _, _, err := read(io.MultiReader(bytes.NewReader(file[:at]), iotest.ErrReader(broken)), 100); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
			t.Fatalf("after %d bytes: got %v", at, err)
		}
		if _, _, err := read(io.MultiReader(bytes.NewReader(file[:at]), iotest.ErrReader(io.ErrUnexpectedEOF)), 100); !errors.Is(err, ErrDamaged) {
			t.Fatalf("after %d bytes, cut off: got %v", at, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(write(f, someContents()...))
	f.Add(write(f))
	f.Add([]byte{})
	for _, text := range []string{
		"{\"archive\":1}\n{\"manifest\":{\"created\":0,\"graphs\":[]}}\n", "{\"archive\":1}\n{\"graphId\":\"g\",\"from\":{\"version\":0,\"hash\":\"\"}}\n",
		"{\"archive\":1}\n{\"graphId\":\"g\",\"from\":{\"version\":9007199254740992,\"hash\":\"00000000000000000000000000000000\"},\"base\":\"AA==\"}\n{},\"hash\":\"00000000000000000000000000000000\"}\n",
	} {
		object, err := pack([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(object)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// Whatever the fuzzer makes of the text, it gets past the compression.
		if text, err := unpack(data); err != nil {
			if sealed, err := pack(data); err == nil {
				fuzzRead(t, sealed)
			}
		} else if sealed, err := pack(text); err == nil {
			fuzzRead(t, sealed)
		}
		fuzzRead(t, data)
	})
}

// fuzzRead refuses, or reads what chains and can be written again.
func fuzzRead(t *testing.T, file []byte) {
	contents, manifest, err := read(bytes.NewReader(file), 3)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("got %v, want ErrDamaged", err)
		}
	} else if len(manifest.Graphs) != len(contents) {
		t.Fatalf("%d graphs in the manifest of %d", len(manifest.Graphs), len(contents))
	}
	for _, c := range contents {
		if err := eventstore.VerifyChain(c.graph, c.base.Position, c.events); err != nil {
			t.Fatal(err)
		}
	}
	again, _, err := read(bytes.NewReader(write(t, contents...)), 0)
	if err != nil {
		t.Fatal(err)
	}
	sameContents(t, again, contents)
}
