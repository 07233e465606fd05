package archive

import (
	"errors"
	"io"

	"graphy/eventstore"
)

// run reads the events of one graph, and verifies that they chain from where it begins to where it says it ends.
type run struct {
	graph string
	begin eventstore.Hash // of the line that begins it
	lines *lines
	from  eventstore.Position
	link  *link
	done  bool
	width int // bytes of an event, as those before had
}

func newRun(head header, begin eventstore.Hash, lines *lines) *run {
	return &run{graph: head.GraphID, begin: begin, lines: lines, from: *head.From, link: newLink(*head.From), width: 512}
}

func (r *run) events() int64 { return int64(r.link.version - r.from.Version) }

// page returns up to limit events, fewer when they come to SegmentBytes (0: as many as that are), in memory of their own. After the last of
// them, and the line that says so, it returns none and io.EOF.
func (r *run) page(limit int) ([]eventstore.Event, error) {
	if limit <= 0 || limit > SegmentEvents {
		limit = SegmentEvents
	}
	var (
		text   = make([]byte, 0, min(limit*(r.width+16), SegmentBytes+4*r.width))
		hashes = make([]byte, 0, limit*hashBytes)
		events = make([]eventstore.Event, 0, limit)
		first  = r.link.version + 1
	)
	for !r.done && len(events) < limit && len(text) < SegmentBytes {
		data, more, err := r.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		start := len(text)
		text = append(text, data...)
		hashes = append(hashes, r.link.hash[:]...)
		// Where text grew, the events before keep the array that they were read into.
		events = append(events, eventstore.Event{Version: r.link.version, Data: text[start:len(text):len(text)]})
	}
	if len(events) == 0 {
		return nil, io.EOF
	}
	all := string(hashes)
	for i := range events {
		events[i].Hash = eventstore.Hash(all[i*hashBytes : (i+1)*hashBytes])
	}
	r.width = len(text)/int(r.link.version+1-first) + 1
	return events, nil
}

// next moves on to the next event and returns its data, valid until the next call; false after the last one.
func (r *run) next() (data []byte, more bool, err error) {
	line, err := r.lines.next()
	if errors.Is(err, io.EOF) {
		return nil, false, damaged("the events of %q end after version %d without the line that says so", r.graph, r.link.version)
	}
	if err != nil {
		return nil, false, err
	}
	data, hash, ok := cutEvent(line)
	if !ok {
		return nil, false, r.finish(line)
	}
	if r.link.version == maxVersion {
		return nil, false, damaged("more events than there are versions")
	}
	if r.link.next(data); string(hash) != string(r.link.hash[:]) {
		return nil, false, damaged("%q at version %d: hash is %q, the data and the event before it give %q",
			r.graph, r.link.version, hash, r.link.hash)
	}
	return data, true, nil
}

// finish reads the line after the last event.
func (r *run) finish(line []byte) error {
	var end end
	if err := parseLine(line, &end); err != nil {
		return err
	}
	if end.Begin != r.begin {
		return damaged("what was read before the events of %q is not what was written", r.graph)
	}
	if end.To != r.link.position() || end.Events != r.events() {
		return damaged("%q ends at version %d (%s) after %d events, should at %d (%s) after %d", r.graph,
			r.link.version, r.link.hash, r.events(), end.To.Version, end.To.Hash, end.Events)
	}
	r.done = true
	return nil
}
