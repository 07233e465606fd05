package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"net"
	"testing"
)

// TestArrivalKnowsItsState, however its sync is cut into frames, compressed or not, with a ping in between.
func TestArrivalKnowsItsState(t *testing.T) {
	state := bytes.Repeat([]byte(`{"id":"n1","position":{"x":1,"y":2}},`), 5000)
	whole := append(append([]byte(`{"type":"sync","status":"full","version":7,"state":`), state...), '}')
	var small bytes.Buffer
	deflater, _ := flate.NewWriter(&small, flate.BestSpeed)
	_, _ = deflater.Write(whole)
	_ = deflater.Flush()
	squeezed := bytes.TrimSuffix(small.Bytes(), []byte("\x00\x00\xff\xff"))
	for _, test := range []struct {
		name    string
		message []byte
		cuts    int
		deflate bool
		want    digest
		ok      bool
	}{
		{name: "one frame", message: whole, cuts: 1, want: newDigest(state), ok: true},
		{name: "many frames", message: whole, cuts: 7000, want: newDigest(state), ok: true},
		{name: "compressed", message: squeezed, cuts: 1, deflate: true, want: newDigest(state), ok: true},
		{name: "compressed, in frames", message: squeezed, cuts: 10, deflate: true, want: newDigest(state), ok: true},
		{name: "agreed to, not used", message: whole, cuts: 1, deflate: true, want: newDigest(state), ok: true},
		{name: "another state", message: whole, cuts: 1, want: newDigest(state[1:])},
		{name: "another of the same length", message: whole, cuts: 1, want: newDigest(append([]byte(" "), state[1:]...))},
		{name: "no state", message: []byte(`{"type":"sync","status":"in_sync"}`), cuts: 1, want: newDigest(state)},
		{name: "compressed, cut off", message: squeezed[:len(squeezed)/2], cuts: 1, deflate: true, want: newDigest(state)},
	} {
		client, server := net.Pipe()
		go func() {
			_, _ = server.Write(cutFrames(test.message, test.cuts, test.deflate && test.message[0] != '{'))
		}()
		go func() { _, _ = bufio.NewReader(server).Discard(1 << 20) }() // the pongs
		a := &arrival{}
		err := a.read(&wsConn{conn: client, in: bufio.NewReader(client), deflate: test.deflate})
		if err == nil {
			err = a.check(test.want)
		}
		if (err == nil) != test.ok {
			t.Errorf("%s: got %v, want it to be right: %v", test.name, err, test.ok)
		}
		if a.taken != int64(len(test.message)) {
			t.Errorf("%s: took %d bytes, want %d", test.name, a.taken, len(test.message))
		}
		client.Close()
		server.Close()
	}
}

// cutFrames makes a server's frames of a message, with a ping after the first.
func cutFrames(message []byte, count int, deflated bool) []byte {
	var out []byte
	size := len(message)/count + 1
	for i := 0; i < len(message); i += size {
		first := byte(opMore)
		if i == 0 {
			first = opText
			if deflated {
				first |= compressed
			}
		}
		part := message[i:min(i+size, len(message))]
		if i+size >= len(message) {
			first |= final
		}
		out = appendUnmasked(out, first, part)
		if i == 0 && len(message) > size {
			out = appendUnmasked(out, final|opPing, []byte("are you there"))
		}
	}
	return out
}
