package transport

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// worthCompressing is the size in bytes below which compression costs more than it saves.
const worthCompressing = 1 << 10

var (
	gzipEncoding = []string{"gzip"}
	varyEncoding = []string{"Origin, Accept-Encoding"}
)

// acceptsGzip tells whether gzip is at least as welcome as no encoding (RFC 9110, Accept-Encoding).
func acceptsGzip(header http.Header) bool {
	lines := header["Accept-Encoding"]
	if len(lines) == 1 && lines[0] == "gzip" {
		return true
	}
	gzip, identity, any := -1.0, -1.0, -1.0 // quality; below zero: not named
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				gzip = quality(parameters)
			case "identity":
				identity = quality(parameters)
			case "*":
				any = quality(parameters)
			}
		}
	}
	if gzip < 0 {
		gzip = any
	}
	return gzip > 0 && gzip >= identity
}

// quality reads the parameter q; what is not understood counts as a refusal.
func quality(parameters string) float64 {
	name, value, ok := strings.Cut(strings.TrimSpace(parameters), "=")
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !strings.EqualFold(strings.TrimSpace(name), "q") || err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// gzipWriters compress fast: they serve answers that are sent once.
var gzipWriters = sync.Pool{New: func() any {
	writer, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for a level out of range alone
	return writer
}}

// appendGzip appends body, compressed.
func appendGzip(dst, body []byte) []byte {
	writer := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(writer)
	out := bytes.NewBuffer(dst)
	writer.Reset(out)
	_, _ = writer.Write(body) // a bytes.Buffer takes everything
	_ = writer.Close()
	return out.Bytes()
}

var gzipReaders sync.Pool // of *gzip.Reader

// inflate returns what is in compressed, but no more than one byte over limit of it.
func inflate(compressed io.Reader, limit int64) ([]byte, error) {
	reader, _ := gzipReaders.Get().(*gzip.Reader)
	if reader == nil {
		reader = new(gzip.Reader)
	}
	defer gzipReaders.Put(reader)
	if err := reader.Reset(compressed); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(reader, limit+1))
}
