package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// maskedFrame returns a client's text frame, masked with zeros.
func maskedFrame(dst []byte, payload string) []byte {
	dst = append(dst, 0x81)
	if len(payload) > 125 {
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(len(payload)))
	} else {
		dst = append(dst, 0x80|byte(len(payload)))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}

// readRawFrame returns the payload of a server's frame, which is good until the next call.
func readRawFrame(reader *bufio.Reader, buffer []byte) ([]byte, error) {
	var header [10]byte
	if _, err := io.ReadFull(reader, header[:2]); err != nil {
		return nil, err
	}
	size := uint64(header[1])
	switch size {
	case 126:
		if _, err := io.ReadFull(reader, header[2:4]); err != nil {
			return nil, err
		}
		size = uint64(binary.BigEndian.Uint16(header[2:4]))
	case 127:
		if _, err := io.ReadFull(reader, header[2:10]); err != nil {
			return nil, err
		}
		size = binary.BigEndian.Uint64(header[2:10])
	}
	buffer = append(buffer[:0], make([]byte, size)...)
	_, err := io.ReadFull(reader, buffer)
	return buffer, err
}

// BenchmarkPipelinedCommands has 16 connections, each to a graph of its own and with 32 commands under way.
func BenchmarkPipelinedCommands(b *testing.B) {
	for _, window := range []int{1, 32} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) { benchmarkCommands(b, 16, window) })
	}
}

func benchmarkCommands(b *testing.B, connections, window int) {
	s := newSite(b)
	var running sync.WaitGroup
	each := b.N/connections + 1
	start := make(chan struct{})
	for i := range connections {
		graph := fmt.Sprintf("g%d", i)
		s.accept(graph, createNode("n1"))
		conn, reader := (&stage{TB: b, http: s.http}).rawDial(b, graph)
		reader = bufio.NewReaderSize(io.MultiReader(io.LimitReader(reader, int64(reader.Buffered())), conn), 64<<10)
		running.Go(func() {
			<-start
			if err := pipeline(conn, reader, each, window); err != nil {
				b.Error(err)
			}
		})
	}
	before := valueOf(s.server.sockets.metrics.writes.flushes)
	b.ReportAllocs()
	b.ResetTimer()
	close(start)
	running.Wait()
	b.StopTimer()
	total := float64(each * connections)
	b.ReportMetric(total/b.Elapsed().Seconds(), "commands/s")
	b.ReportMetric(2*total/(valueOf(s.server.sockets.metrics.writes.flushes)-before), "frames/write")
}

// pipeline sends count commands, window of them at a time, and reads all results.
func pipeline(conn net.Conn, reader *bufio.Reader, count, window int) error {
	var out, in []byte
	sent, answered := 0, 0
	for answered < count {
		out = out[:0]
		for ; sent < count && sent < answered+window; sent++ {
			out = maskedFrame(out, fmt.Sprintf(`{"type":"command","command":"UPDATE_NODE_POSITION","payload":{"nodeId":"n1","position":{"x":%d,"y":1}}}`, sent))
		}
		if len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return err
			}
		}
		for {
			frame, err := readRawFrame(reader, in)
			if err != nil {
				return err
			}
			in = frame
			if bytes.HasPrefix(frame, []byte(`{"type":"command_result"`)) {
				answered++
			}
			if reader.Buffered() == 0 && answered > sent-window/2-1 || answered == count {
				break
			}
		}
	}
	return nil
}
