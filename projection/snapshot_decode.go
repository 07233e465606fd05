package projection

import (
	"bytes"
	"fmt"
	"io"
	"maps"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"graphy/eventstore"
)

// DecodeSnapshot returns the state that s holds, which is the caller's; of a snapshot that an older release made it has no
// counts (ByType is nil). It fails with ErrEvent where s is not a snapshot
// of that graph and position, and with ErrChecksum where its entities are not those that it was made of. What it
// inflates is bounded. Whether the log knows the position is for the caller to find out.
func DecodeSnapshot(graph string, s Snapshot) (*Graph, error) {
	g, err := decodeSnapshot(graph, s, snapshotLimit)
	if err != nil {
		return nil, fmt.Errorf("snapshot of %q at version %d: %w", graph, s.Version, err)
	}
	return g, nil
}

func decodeSnapshot(graph string, s Snapshot, limit int) (*Graph, error) {
	text, err := inflate(s.Data, limit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return readSnapshot(graph, s.Position, s.Checksum, text)
}

// readSnapshot decodes the JSON of a snapshot.
func readSnapshot(graph string, position eventstore.Position, checksum Checksum, text []byte) (*Graph, error) {
	d := snapshotDecoder{graph: NewGraph(graph)}
	d.graph.ByType = nil // a snapshot of an older release has no counts
	c := objectCursor(text)
	for c.next() {
		d.field(c.name, c.value)
	}
	d.end(&c)
	switch g := d.graph; {
	case d.err != nil:
		return nil, fmt.Errorf("%w: %w", ErrEvent, d.err)
	case d.id != graph || g.Position != position || position.Version == 0:
		return nil, fmt.Errorf("%w: it is of %.64q, version %d", ErrEvent, d.id, g.Position.Version)
	case g.Checksum != checksum || d.checksum != checksum.String():
		return nil, fmt.Errorf("%w: its entities have %s, it says %.20q, and %s was expected", ErrChecksum, g.Checksum, d.checksum, checksum)
	}
	return d.graph, nil
}

// inflate undoes the compression of at most limit bytes.
func inflate(data []byte, limit int) ([]byte, error) {
	reader, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(snapshotWindow))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var text bytes.Buffer
	text.Grow(min(8*len(data), 16<<20))
	if _, err := text.ReadFrom(io.LimitReader(reader, int64(limit)+1)); err != nil {
		return nil, err
	}
	if text.Len() > limit {
		return nil, errSnapshotSize
	}
	return text.Bytes(), nil
}

// snapshotDecoder fills a graph from the fields of a snapshot. It passes over unknown ones, as those of newer versions.
type snapshotDecoder struct {
	decoder
	graph    *Graph
	id       string
	checksum string
}

func (d *snapshotDecoder) field(name []byte, value jsontext.Value) {
	switch string(name) {
	case "graphId":
		d.id = d.text(value)
	case "version":
		d.graph.Position.Version = eventstore.Version(d.number(value))
	case "hash":
		d.graph.Position.Hash = eventstore.Hash(d.text(value))
	case "checksum":
		d.checksum = d.text(value)
	case "lastModified":
		d.graph.LastModified = d.number(value)
	case "lastOperationId":
		d.graph.LastOperationID = d.text(value)
	case "byType":
		d.graph.ByType = d.counts(value)
	case "policy":
		d.object(value)
		d.graph.Policy = value
	case "conflicts":
		d.conflicts(value)
	case "nodes":
		d.entities(Node, value)
	case "edges":
		d.entities(Edge, value)
	case "viewport":
		d.entity(Viewport, ViewportID, value)
	}
}

func (d *snapshotDecoder) counts(object jsontext.Value) map[string]int64 {
	counts := map[string]int64{}
	c := objectCursor(object)
	for c.next() {
		counts[unquote(c.name)] = d.number(c.value)
	}
	d.end(&c)
	return counts
}

func (d *snapshotDecoder) conflicts(array jsontext.Value) {
	records := map[string]jsontext.Value{}
	c := arrayCursor(array)
	for c.next() {
		d.object(c.value)
		records[d.text(Member(c.value, "conflictId"))] = c.value
	}
	d.end(&c)
	d.graph.Conflicts = NewConflictLog(maps.All(records))
}

func (d *snapshotDecoder) entities(kind Kind, array jsontext.Value) {
	c := arrayCursor(array)
	for c.next() && d.err == nil {
		d.entity(kind, d.text(Member(c.value, "id")), c.value)
	}
	d.end(&c)
}

func (d *snapshotDecoder) entity(kind Kind, id string, value jsontext.Value) {
	d.object(value)
	if d.err != nil {
		return
	}
	if id == "" {
		d.fail(fmt.Errorf("%s without an id", kind))
	} else if err := d.graph.Load(kind, id, value); err != nil {
		d.fail(err)
	}
}

func (d *snapshotDecoder) object(value jsontext.Value) {
	if value.Kind() != '{' {
		d.fail(fmt.Errorf("%.32q is not an object", value))
	}
}
