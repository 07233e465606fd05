package archive

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"graphy/eventstore"
)

// maxObject bounds an object, as it is stored and as it is decoded.
const maxObject = maxLine + 2*SegmentBytes

// packer and unpacker work on whole objects, any number at a time.
var (
	packer = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(true))
	})
	unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxObject))
	})
)

func pack(text []byte) ([]byte, error) {
	encoder, err := packer()
	if err != nil {
		return nil, err
	}
	if len(text) > maxObject {
		return nil, fmt.Errorf("%d bytes are more than an object may have", len(text))
	}
	return seal(encoder.EncodeAll(text, nil)), nil
}

func unpack(object []byte) ([]byte, error) {
	frame, err := unseal(object)
	if err != nil {
		return nil, err
	}
	decoder, err := unpacker()
	if err != nil {
		return nil, err
	}
	text, err := decoder.DecodeAll(frame, nil)
	if err != nil {
		return nil, damaged("decompress: %w", err)
	}
	return text, nil
}

// encodeSegment returns the object of events, which lead from from.
func encodeSegment(graph string, from eventstore.Position, events []eventstore.Event) (Segment, []byte, error) {
	segment := Segment{GraphID: graph, From: from, To: events[len(events)-1].Position()}
	size := 1024
	for i := range events {
		size += len(events[i].Data) + hashTail + 1
	}
	text, err := appendLine(make([]byte, 0, size), header{Archive: format, GraphID: graph, From: &from, To: &segment.To})
	if err != nil {
		return Segment{}, nil, err
	}
	begin, link := hashOfLine(text), newLink(from)
	for i := range events {
		if err := link.follow(graph, &events[i]); err != nil {
			return Segment{}, nil, err
		}
		text = appendEvent(text, &events[i])
	}
	text, err = appendLine(text, end{To: segment.To, Events: int64(len(events)), Begin: begin})
	if err != nil {
		return Segment{}, nil, err
	}
	object, err := pack(text)
	segment.Bytes = int64(len(object))
	return segment, object, err
}

// openSegment begins to read segment, whose object this has to be.
func openSegment(segment Segment, object []byte) (*run, error) {
	head, run, err := decodeHead(object)
	if err != nil {
		return nil, err
	}
	if head.GraphID != segment.GraphID || head.Base != nil || *head.From != segment.From || head.To == nil || *head.To != segment.To {
		return nil, damaged("what is there is not the segment of %q that its name says", segment.GraphID)
	}
	return run, nil
}

// closeSegment makes sure, when all events are read, that they are those of segment.
func closeSegment(segment Segment, run *run) error {
	if run.link.position() != segment.To {
		return damaged("the segment ends at version %d, should at %d", run.link.version, segment.To.Version)
	}
	return run.lines.close()
}

// checkSegment verifies that object is that of segment.
func checkSegment(segment Segment, object []byte) error {
	run, err := openSegment(segment, object)
	for more := err == nil; more && err == nil; {
		_, more, err = run.next()
	}
	if err != nil {
		return err
	}
	return closeSegment(segment, run)
}

// decodeSegment returns the events of segment, whose object this has to be.
func decodeSegment(segment Segment, object []byte) ([]eventstore.Event, error) {
	run, err := openSegment(segment, object)
	if err != nil {
		return nil, err
	}
	var events []eventstore.Event
	for {
		page, err := run.page(0)
		if errors.Is(err, io.EOF) {
			return events, closeSegment(segment, run)
		}
		if err != nil {
			return nil, err
		}
		if events == nil {
			events = page // mostly all
		} else {
			events = append(events, page...)
		}
	}
}

// encodeBase returns the object of a base: a segment without events.
func encodeBase(graph string, base eventstore.Base) ([]byte, error) {
	text, err := appendBegin(nil, header{Archive: format}, graph, base)
	if err == nil {
		text, err = appendLine(text, end{To: base.Position, Begin: hashOfLine(text)})
	}
	if err != nil {
		return nil, err
	}
	return pack(text)
}

// decodeBase returns the base of graph at a position, whose object this has to be.
func decodeBase(graph string, at eventstore.Position, object []byte) (eventstore.Base, error) {
	head, run, err := decodeHead(object)
	if err != nil {
		return eventstore.Base{}, err
	}
	if head.GraphID != graph || *head.From != at || len(head.Base) == 0 || head.To != nil {
		return eventstore.Base{}, damaged("what is there is not the base of %q that its name says", graph)
	}
	if _, more, err := run.next(); err != nil || more {
		return eventstore.Base{}, cmp.Or(err, damaged("a base with events"))
	}
	return eventstore.Base{Position: at, Data: head.Base}, run.lines.close()
}

// decodeHead reads an object up to its events.
func decodeHead(object []byte) (header, *run, error) {
	text, err := unpack(object)
	if err != nil {
		return header{}, nil, err
	}
	lines := linesOf(text)
	line, err := lines.next()
	if errors.Is(err, io.EOF) {
		err = damaged("an object without content")
	}
	if err != nil {
		return header{}, nil, err
	}
	head, begin, err := parseBegin(line, format)
	if err != nil {
		return header{}, nil, err
	}
	return head, newRun(head, begin, lines), nil
}

// appendBegin appends the line before the events of a graph, to what else head says.
func appendBegin(dst []byte, head header, graph string, base eventstore.Base) ([]byte, error) {
	if err := errors.Join(checkGraph(graph), checkPosition(base.Position)); err != nil {
		return nil, err
	}
	if len(base.Data) > maxBase {
		return nil, fmt.Errorf("a base of %d bytes, which may have %d", len(base.Data), maxBase)
	}
	head.GraphID, head.From, head.Base = graph, &base.Position, base.Data
	return appendLine(dst, head)
}

// hashOfLine returns the hash of a line, with or without its end.
func hashOfLine(line []byte) eventstore.Hash {
	return eventstore.NextHash("", bytes.TrimSuffix(line, []byte{'\n'}))
}

// parseBegin reads the line before the events of a graph, and returns its hash too.
func parseBegin(line []byte, format int) (header, eventstore.Hash, error) {
	var head header
	if err := parseLine(line, &head); err != nil {
		return header{}, "", err
	}
	if head.Archive != format {
		return header{}, "", damaged("format %d, known is %d", head.Archive, format)
	}
	if head.From == nil || head.Created != 0 {
		return header{}, "", damaged("line %.80q does not begin a graph", line)
	}
	if err := errors.Join(checkGraph(head.GraphID), checkPosition(*head.From)); err != nil {
		return header{}, "", damaged("%w", err)
	}
	return head, hashOfLine(line), nil
}
