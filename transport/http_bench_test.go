package transport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/command"
)

// instant accepts every command at once: what is measured is the transport.
type instant struct{ Commands }

func (instant) Do(_ context.Context, _ string, cmd *command.Command) (command.Outcome, error) {
	return command.Outcome{OperationID: cmd.OperationID, Version: 42, Hash: "00112233445566778899aabbccddeeff", Status: command.StatusProcessing, Result: cmd.Payload}, nil
}

const moveNode = `{"operationId":"01J9Z3NDEKTSV4RRFFQ69G5FAV","type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n1","position":{"x":1,"y":2}},"clientVersion":41,"clientId":"tab-1"}`

// BenchmarkCommand compares the command route with a bare echo handler that decodes and answers the same JSON.
func BenchmarkCommand(b *testing.B) {
	bare := echo.New()
	bare.POST("/api/v2/graphs/:graphId/command", func(c echo.Context) error {
		var body map[string]any
		if err := json.NewDecoder(c.Request().Body).Decode(&body); err != nil {
			return err
		}
		return c.JSON(http.StatusAccepted, map[string]any{"accepted": true, "operationId": body["operationId"], "version": 42,
			"hash": "00112233445566778899aabbccddeeff", "status": "processing", "estimatedProcessingTime": 3, "result": body["payload"]})
	})
	server := New(Services{Commands: instant{}}, Options{API: true, Development: true})
	request := rawRequest(http.MethodPost, "/api/v2/graphs/g/command", moveNode)
	for _, handler := range []struct {
		name string
		http.Handler
	}{{"bare", bare}, {"graphy", server.Handler()}} {
		b.Run(handler.name, func(b *testing.B) { benchmarkRaw(b, handler, request) })
	}
}

func BenchmarkChanges(b *testing.B) {
	s := newSite(b)
	s.createNodes("g", 1000)
	for _, encoding := range []string{"identity", "gzip"} {
		request := rawRequest(http.MethodGet, "/api/v2/graphs/g/changes?since=900", "", "Accept-Encoding: "+encoding)
		b.Run(encoding, func(b *testing.B) { benchmarkRaw(b, s.server.Handler(), request) })
	}
}

// BenchmarkState compares an unchanged state with the same bytes served as they are.
func BenchmarkState(b *testing.B) {
	s := newSite(b)
	var nodes, edges []string
	for i := range 1000 {
		nodes = append(nodes, fmt.Sprintf(`"n%d":{"title":"node %d","type":"task","position":{"x":%d,"y":%d}}`, i, i, i, i))
	}
	s.accept("g", `{"type":"BATCH_UPDATE","payload":{"nodes":{`+strings.Join(nodes, ",")+`}}}`)
	for i := range 1500 {
		edges = append(edges, fmt.Sprintf(`{"id":"e%d","source":"n%d","target":"n%d"}`, i, i%1000, i*7%1000))
	}
	for ; len(edges) > 0; edges = edges[500:] {
		s.accept("g", `{"type":"BATCH_UPDATE","payload":{"edges":[`+strings.Join(edges[:500], ",")+`]}}`)
	}
	state := s.get("/graphs/g/state")
	static := echo.New()
	static.GET("/api/v2/graphs/:graphId/state", func(c echo.Context) error {
		c.Response().Header().Set("Content-Length", fmt.Sprint(len(state.raw)))
		return c.JSONBlob(http.StatusOK, state.raw)
	})
	path := "/api/v2/graphs/g/state"
	b.Run("static", func(b *testing.B) { benchmarkRaw(b, static, rawRequest(http.MethodGet, path, "")) })
	b.Run("unchanged", func(b *testing.B) { benchmarkRaw(b, s.server.Handler(), rawRequest(http.MethodGet, path, "")) })
	b.Run("not modified", func(b *testing.B) {
		benchmarkRaw(b, s.server.Handler(), rawRequest(http.MethodGet, path, "", "If-None-Match: "+state.header.Get("Etag")))
	})
}

func rawRequest(method, path, body string, headers ...string) string {
	request := method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n"
	for _, header := range headers {
		request += header + "\r\n"
	}
	if body != "" {
		request += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return request + "\r\n" + body
}

// benchmarkRaw sends one request over and over on a few connections and reads past the answers, with as little work
// on the client's side as can be.
func benchmarkRaw(b *testing.B, handler http.Handler, request string) {
	server := httptest.NewServer(handler)
	defer server.Close()
	b.ReportAllocs()
	b.SetParallelism(8)
	start := processorTime()
	defer func() { b.ReportMetric(float64((processorTime()-start).Microseconds())/float64(b.N), "cpu-µs/op") }()
	b.RunParallel(func(pb *testing.PB) {
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer connection.Close()
		reader := bufio.NewReaderSize(connection, 64<<10)
		for pb.Next() {
			if _, err := io.WriteString(connection, request); err != nil {
				b.Error(err)
				return
			}
			if err := skipAnswer(reader); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// processorTime returns what this process has used of it, which a busy machine tells more truly than a clock does.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// skipAnswer reads past an answer that says how long it is.
func skipAnswer(reader *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && line[9] != '2' && line[9] != '3' {
			return fmt.Errorf("answer %q", line)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, digit := range bytes.TrimSpace(value) {
				length = length*10 + int(digit-'0')
			}
		}
		if len(line) == 2 {
			_, err := reader.Discard(length)
			return err
		}
	}
}
