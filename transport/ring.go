package transport

import "graphy/eventstore"

const (
	ringFrames = 1024
	ringBytes  = 1 << 20
)

// ring keeps the newest state_update frames of a graph, bounded by count and bytes; they are versions without a hole.
// Its zero value is empty, at version 0.
type ring struct {
	base   eventstore.Position // the position before the first frame
	frames []ringFrame
	bytes  int
}

type ringFrame struct {
	at   eventstore.Position
	data []byte
}

// restart empties the ring and sets the position that the next frame follows.
func (r *ring) restart(at eventstore.Position) { *r = ring{base: at} }

// head returns the position of the newest frame.
func (r *ring) head() eventstore.Position {
	if len(r.frames) == 0 {
		return r.base
	}
	return r.frames[len(r.frames)-1].at
}

// push adds the frame that leads to at, one version above head, and forgets the oldest where it must.
func (r *ring) push(at eventstore.Position, data []byte) {
	r.frames = append(r.frames, ringFrame{at, data})
	r.bytes += len(data)
	for len(r.frames) > ringFrames || r.bytes > ringBytes && len(r.frames) > 1 {
		r.base = r.frames[0].at
		r.bytes -= len(r.frames[0].data)
		r.frames[0].data = nil
		r.frames = r.frames[1:] // append moves them to a new array when the old one is used up
	}
}

// position returns the position of version, if the ring knows it.
func (r *ring) position(version eventstore.Version) (eventstore.Position, bool) {
	switch {
	case version == r.base.Version:
		return r.base, true
	case version < r.base.Version || version > r.head().Version:
		return eventstore.Position{}, false
	}
	return r.frames[version-r.base.Version-1].at, true
}

// after returns the frames after version, which the ring knows: up to limit of them and about maxBytes, at least one
// if there is one; and the position they lead to.
func (r *ring) after(version eventstore.Version, limit, maxBytes int) (frames [][]byte, at eventstore.Position) {
	at, _ = r.position(version)
	for _, frame := range r.frames[version-r.base.Version:] {
		if len(frames) == limit || maxBytes <= 0 {
			break
		}
		frames = append(frames, frame.data)
		maxBytes -= len(frame.data)
		at = frame.at
	}
	return frames, at
}
