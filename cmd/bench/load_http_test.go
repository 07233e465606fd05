package main

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

// TestBeginning: what follows in the buffer does not write over it.
func TestBeginning(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 1000)
	in := bufio.NewReaderSize(bytes.NewReader(append(body, "next"...)), 300)
	got, err := beginning(in, len(body))
	rest, _ := io.ReadAll(in)
	if err != nil || !bytes.Equal(got, body[:excerpt]) || string(rest) != "next" {
		t.Errorf("got %q, %v, then %q", got, err, rest)
	}
}
