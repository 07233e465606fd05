package transport

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// deflatedFrame returns a compressed text frame of a client, so many times the content, masked with zeros.
func deflatedFrame(t testing.TB, content io.Reader, times int) []byte {
	t.Helper()
	var out bytes.Buffer
	writer, _ := flate.NewWriter(&out, flate.BestCompression)
	if _, err := io.Copy(writer, content); err != nil {
		t.Fatal(err)
	}
	writer.Flush()
	payload := bytes.TrimSuffix(bytes.Repeat(out.Bytes(), times), []byte("\x00\x00\xff\xff"))
	frame := binary.BigEndian.AppendUint64([]byte{0xc1, 0x80 | 127}, uint64(len(payload)))
	return append(append(frame, 0, 0, 0, 0), payload...)
}

const deflateHeader = "Sec-WebSocket-Extensions: permessage-deflate\r\n"

// A frame is bounded as it is inflated: 900 MB of zeros in less than 1 MB close the connection, and cost next to nothing.
func TestBombIsNotInflated(t *testing.T) {
	s := newStage(t)
	bomb := deflatedFrame(t, io.LimitReader(new(zeros), 1<<20), 900)
	bystander := s.join(t, "g", "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 8 {
		conn, reader := s.rawDial(t, "g", deflateHeader)
		if _, err := readRawFrame(reader, nil); err != nil { // the sync
			t.Fatal(err)
		}
		conn.Write(bomb)
		frame, err := readRawFrame(reader, nil)
		if err != nil || len(frame) < 2 || int(binary.BigEndian.Uint16(frame)) != websocket.CloseMessageTooBig {
			t.Errorf("got %q, %v, want a close frame with 1009", frame, err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("eight bombs cost %d MB", used>>20)
	}
	s.commands.move(t, "g", 1)
	bystander.reach(s.commands.position("g"))
}

func TestCompressedFramesOfClients(t *testing.T) {
	s := newStage(t)
	fits := `{"type":"command","command":"CREATE_NODE","operationId":"o","payload":{"id":"n1"}}`
	tests := []struct {
		name  string
		frame []byte
		code  uint16 // 0: it is answered
	}{
		{"small", deflatedFrame(t, strings.NewReader(fits), 1), 0},
		{"as large as may be", deflatedFrame(t, strings.NewReader(fits+strings.Repeat(" ", 1<<20-len(fits))), 1), 0},
		{"a byte more", deflatedFrame(t, strings.NewReader(fits+strings.Repeat(" ", 1<<20-len(fits)+1)), 1), websocket.CloseMessageTooBig},
		{"garbage", []byte("\xc1\x84\x00\x00\x00\x00\xff\xff\xff\xff"), websocket.CloseInvalidFramePayloadData},
	}
	for i, test := range tests {
		conn, reader := s.rawDial(t, "g"+strconv.Itoa(i), deflateHeader)
		readRawFrame(reader, nil) // the sync
		conn.Write(test.frame)
		frame, err := readRawFrame(reader, nil)
		switch {
		case err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.code == 0 && !bytes.Contains(frame, []byte(`"operationId":"o"`)):
			t.Errorf("%s: got %.100q, want an answer", test.name, frame)
		case test.code > 0 && (len(frame) < 2 || binary.BigEndian.Uint16(frame) != test.code):
			t.Errorf("%s: got %.100q, want a close frame with %d", test.name, frame, test.code)
		}
		conn.Close()
	}
}
