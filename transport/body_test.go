package transport

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"graphy/command"
)

func zip(t testing.TB, parts ...string) string {
	t.Helper()
	var out bytes.Buffer
	for _, part := range parts {
		writer := gzip.NewWriter(&out)
		if _, err := writer.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestCompressedBodies(t *testing.T) {
	s := newSite(t, func(o *Options) { o.BodyLimit = 64 << 10 })
	valid := zip(t, createNode("x"))
	padded := func(size int) string { return createNode("y") + strings.Repeat(" ", size-len(createNode("y"))) }
	for _, test := range []struct {
		name, body, encoding string
		status               int
		code                 string
	}{
		{"valid", valid, "gzip", 202, ""},
		{"in other letters", zip(t, createNode("x1")), "GZIP", 202, ""},
		{"an old name", zip(t, createNode("x2")), "x-gzip", 202, ""},
		{"in parts", zip(t, createNode("x3")[:10], createNode("x3")[10:]), "gzip", 202, ""},
		{"as it is", createNode("x4"), "identity", 202, ""},
		{"just not too long", zip(t, padded(64<<10)), "gzip", 202, ""},
		{"inflated too long by one", zip(t, padded(64<<10+1)), "gzip", 413, "too-large"},
		{"a bomb", zip(t, strings.Repeat("0", 64<<20)), "gzip", 413, "too-large"},
		{"sent too long", strings.Repeat("0", 64<<10+1), "gzip", 413, "too-large"},
		{"truncated", valid[:len(valid)-9], "gzip", 400, "malformed-json"},
		{"without its sum", valid[:len(valid)-4], "gzip", 400, "malformed-json"},
		{"a wrong sum", valid[:len(valid)-8] + "00000000", "gzip", 400, "malformed-json"},
		{"something behind it", valid + "{}", "gzip", 400, "malformed-json"},
		{"garbage", "no gzip at all", "gzip", 400, "malformed-json"},
		{"plain, said to be gzip", createNode("x"), "gzip", 400, "malformed-json"},
		{"nothing in it", zip(t, ""), "gzip", 400, "malformed-json"},
		{"gzip in gzip, said once", zip(t, valid), "gzip", 400, "malformed-json"},
		{"gzip in gzip", zip(t, valid), "gzip, gzip", 415, "unsupported-media-type"},
		{"brotli", valid, "br", 415, "unsupported-media-type"},
		{"zlib", valid, "deflate", 415, "unsupported-media-type"},
		{"a list", valid, "identity, gzip", 415, "unsupported-media-type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.call(http.MethodPost, "/api/v2/graphs/g/command", test.body, "Content-Encoding", test.encoding)
			if test.code == "" {
				if got.status != test.status {
					t.Errorf("got %d %s, want %d", got.status, got.raw, test.status)
				}
				return
			}
			wantProblem(t, got, test.status, test.code)
			if says := got.header.Get("Accept-Encoding"); (says == "gzip") != (test.status == 415) {
				t.Errorf("Accept-Encoding of the answer is %q", says)
			}
		})
	}
	wrongType := s.call(http.MethodPost, "/api/v2/graphs/g/command", valid, "Content-Encoding", "gzip", "Content-Type", "text/plain")
	wantProblem(t, wrongType, 415, "unsupported-media-type")
	if says := wrongType.header.Get("Accept-Encoding"); says != "" {
		t.Errorf("Accept-Encoding is %q where the type is wrong: it says that the encoding is", says)
	}
	if two := s.twice("Content-Encoding", "gzip", zip(t, valid)); two != 415 {
		t.Errorf("two headers of encodings: got %d, want 415", two)
	}
}

// twice sends a command with a header given twice, and returns the status.
func (s *site) twice(name, value, body string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.http.URL+"/api/v2/graphs/g/command", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header["Content-Type"] = jsonType
	request.Header[name] = []string{value, value}
	response, err := s.http.Client().Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// TestBombCostsNoMemory sends a gigabyte of nothing, in a megabyte, and looks at what was allocated for it.
func TestBombCostsNoMemory(t *testing.T) {
	s := newSite(t)
	bomb := strings.Repeat(zip(t, strings.Repeat("0", 1<<24)), 64)
	if len(bomb) > command.MaxBody {
		bomb = bomb[:command.MaxBody] // the end does not matter
	}
	s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("warm")) // what a connection costs is not looked at
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 20
	for range times {
		wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/command", bomb, "Content-Encoding", "gzip"), 413, "too-large")
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / times
	t.Logf("%d KB for a bomb of %d KB that holds 1 GB", each>>10, len(bomb)>>10)
	if each > 10<<20 { // the client's own copy is in it
		t.Errorf("a bomb costs %d bytes", each)
	}
}

// zeros is a file of them without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// FuzzInflate: whatever comes, no more than the limit and one byte is given back.
func FuzzInflate(f *testing.F) {
	f.Add([]byte(zip(f, "hello")))
	f.Add([]byte(zip(f, strings.Repeat("0", 100_000))))
	f.Add([]byte("garbage"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		const limit = 1000
		got, err := inflate(bytes.NewReader(sent), limit)
		if len(got) > limit+1 {
			t.Fatalf("%d bytes, want at most %d", len(got), limit+1)
		}
		reader, wantErr := gzip.NewReader(bytes.NewReader(sent))
		if wantErr != nil {
			if err == nil {
				t.Fatalf("inflated to %q, want %v", got, wantErr)
			}
			return
		}
		want, wantErr := io.ReadAll(io.LimitReader(reader, limit+1))
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("inflated to %q, %v, want %q, %v", got, err, want, wantErr)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	body := zip(b, strings.Repeat(moveNode, 1000))
	b.SetBytes(int64(len(moveNode) * 1000))
	b.ReportAllocs()
	for b.Loop() {
		if got, err := inflate(strings.NewReader(body), 1<<20); err != nil || len(got) != 1000*len(moveNode) {
			b.Fatal(fmt.Sprint(len(got), err))
		}
	}
}
