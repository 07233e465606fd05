package transport

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// readWire reads what w has gathered as a client would: the payload of each frame, and its first byte.
func readWire(t interface{ Fatalf(string, ...any) }, w *wire) (payloads [][]byte, first []byte) {
	var all []byte
	for _, span := range w.spans {
		all = append(all, w.part(span)...)
	}
	reader := bufio.NewReader(bytes.NewReader(all))
	for {
		start, err := reader.Peek(1)
		if err != nil {
			return payloads, first
		}
		first = append(first, start[0])
		payload, err := readRawFrame(reader, nil)
		if err != nil {
			t.Fatalf("frame %d: %v", len(payloads), err)
		}
		payloads = append(payloads, payload)
	}
}

// What goes in comes out: frames one by one, or joined by lines, in order among large and control frames, each with the
// shortest header there is.
func TestWireAgainstModel(t *testing.T) {
	sizes := rapid.OneOf(rapid.IntRange(0, 200), rapid.SampledFrom([]int{124, 125, 126, 127, largeFrame - 1, largeFrame, 1<<16 - 1, 1 << 16, 70_000}))
	rapid.Check(t, func(t *rapid.T) {
		w := &wire{joined: rapid.Bool().Draw(t, "joined")}
		for range 2 { // it is used again
			w.reset()
			var want []string // "t" + lines, "b" + bulk or "c" + control frame
			joining := false
			for range rapid.IntRange(0, 12).Draw(t, "frames") {
				size := sizes.Draw(t, "size")
				frame := bytes.Repeat([]byte{byte('a' + len(want)%26)}, size)
				switch rapid.SampledFrom([]string{"text", "text", "text", "bulk", "control"}).Draw(t, "kind") {
				case "text":
					w.text(frame)
					if w.joined && joining && size < largeFrame {
						want[len(want)-1] += "\n" + string(frame)
						continue
					}
					want = append(want, "t"+string(frame))
					joining = size < largeFrame
				case "bulk":
					b := newBulk(frame, []byte("-"), frame)
					b.compressed = size%2 == 0
					w.bulk(b)
					want = append(want, "b"+string(frame)+"-"+string(frame))
					joining = false
				case "control":
					w.control(pingFrame, frame[:min(size, 125)])
					want = append(want, "c"+string(frame[:min(size, 125)]))
					joining = false
				}
			}
			w.end()
			got, first := readWire(t, w)
			if len(got) != len(want) {
				t.Fatalf("got %d frames, want %d", len(got), len(want))
			}
			total := 0
			for i, payload := range got {
				if string(payload) != want[i][1:] {
					t.Fatalf("frame %d has %d bytes, want %d", i, len(payload), len(want[i])-1)
				}
				if isControl := first[i] == finalBit|pingFrame; isControl != (want[i][0] == 'c') || first[i]&finalBit == 0 {
					t.Fatalf("frame %d begins with %x", i, first[i])
				}
				total += len(appendHeader(nil, 0, len(payload))) + len(payload)
			}
			bytes := 0
			for _, span := range w.spans {
				bytes += len(w.part(span))
			}
			if bytes != total {
				t.Fatalf("%d bytes are written, want %d", bytes, total)
			}
		}
	})
}

func TestWireHasRoom(t *testing.T) {
	w := new(wire)
	frames := make([][]byte, 100)
	for i := range frames {
		frames[i] = []byte(strings.Repeat("x", 1000))
	}
	count, size := w.fill(frames)
	if count != 66 || size != 66_000 || w.room() != 0 {
		t.Errorf("%d frames of %d bytes fit, %d left", count, size, w.room())
	}
	w.reset()
	w.bulk(newBulk(make([]byte, 1<<20)))
	if w.room() != wireBytes {
		t.Errorf("a bulk leaves room for %d bytes", w.room())
	}
}
