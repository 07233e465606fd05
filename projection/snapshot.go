package projection

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"graphy/eventstore"
)

// Snapshot is a graph's state at one version, encoded: all that the fold of events 1 to Version leads to.
type Snapshot struct {
	eventstore.Position
	Checksum Checksum
	Data     []byte // zstd of a JSON object (which says version, hash and checksum too); never written to
}

const (
	snapshotLimit  = 512 << 20 // most bytes of a snapshot's JSON
	snapshotWindow = 1 << 20   // how far back zstd looks, on both sides
	snapshotChunk  = 64 << 10  // bytes handed to zstd at once
)

var errSnapshotSize = errors.New("more bytes than a snapshot may have")

// Snapshot encodes the graph as it stands. It fails where that takes more than 512 MiB of JSON.
func (g *Graph) Snapshot() (Snapshot, error) { return g.snapshot(snapshotLimit) }

func (g *Graph) snapshot(limit int) (Snapshot, error) {
	var data bytes.Buffer
	encoder, err := zstd.NewWriter(&data, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(snapshotWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return Snapshot{}, err
	}
	err = g.writeSnapshot(&boundedWriter{encoder, limit})
	if err := errors.Join(err, encoder.Close()); err != nil {
		return Snapshot{}, fmt.Errorf("snapshot of %q at version %d: %w", g.ID, g.Position.Version, err)
	}
	return Snapshot{Position: g.Position, Checksum: g.Checksum, Data: data.Bytes()}, nil
}

// writeSnapshot writes the JSON of a snapshot. Nodes come before the edges that need them.
func (g *Graph) writeSnapshot(w io.Writer) error {
	text := appendQuoted(append(make([]byte, 0, 2*snapshotChunk), `{"graphId":`...), g.ID)
	text = appendNumber(text, "version", int64(g.Position.Version))
	text = appendText(text, "hash", string(g.Position.Hash))
	text = appendText(text, "checksum", g.Checksum.String())
	text = appendNumber(text, "lastModified", g.LastModified)
	text = appendText(text, "lastOperationId", g.LastOperationID)
	if g.ByType != nil {
		text = appendCounts(text, "byType", g.ByType)
	}
	if g.Policy != nil {
		text = appendRaw(text, "policy", g.Policy)
	}
	if viewport := g.viewport.Value; viewport != nil {
		text = appendRaw(text, "viewport", viewport)
	}
	for _, list := range []struct {
		name   string
		values iter.Seq2[string, jsontext.Value]
	}{{"conflicts", g.Conflicts.All()}, {"nodes", g.All(Node)}, {"edges", g.All(Edge)}} {
		text = append(appendName(text, list.name), '[')
		first := true
		for _, value := range list.values {
			if !first {
				text = append(text, ',')
			}
			first = false
			text = append(text, value...)
			if len(text) < snapshotChunk {
				continue
			}
			if _, err := w.Write(text); err != nil {
				return err
			}
			text = text[:0]
		}
		text = append(text, ']')
	}
	_, err := w.Write(append(text, '}'))
	return err
}

// appendCounts appends an object of counts, in order of their names.
func appendCounts(dst []byte, name string, counts map[string]int64) []byte {
	dst = append(appendName(dst, name), '{')
	for i, counted := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(appendQuoted(dst, counted), ':'), counts[counted], 10)
	}
	return append(dst, '}')
}

// boundedWriter fails once it has been given more than left bytes.
type boundedWriter struct {
	io.Writer
	left int
}

func (w *boundedWriter) Write(data []byte) (int, error) {
	if w.left -= len(data); w.left < 0 {
		return 0, errSnapshotSize
	}
	return w.Writer.Write(data)
}
