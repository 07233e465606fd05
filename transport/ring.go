package transport

import (
	"slices"
	"sort"

	"graphy/eventstore"
)

const (
	ringFrames = 8192
	ringBytes  = 2 << 20

	idleRingBytes = 64 << 10 // of a graph that nothing has happened on for a while
)

// ring keeps the newest state_update frames of a graph, bounded by count and bytes; they are versions without a hole.
// What it hands out is shared and never written to again. Its zero value is empty, at version 0.
type ring struct {
	base   eventstore.Position // the position before the first frame
	offset uint64              // bytes of all frames before the first
	// Of each frame: what it leads to, itself, and the bytes of all frames up to and with it.
	at     []eventstore.Position
	frames [][]byte
	ends   []uint64
	tidied uint64 // end as the hub was tidied last
}

// restart empties the ring and sets the position that the next frame follows.
func (r *ring) restart(at eventstore.Position) { *r = ring{base: at, offset: r.end()} }

// head returns the position of the newest frame.
func (r *ring) head() eventstore.Position {
	if len(r.at) == 0 {
		return r.base
	}
	return r.at[len(r.at)-1]
}

// end returns the bytes of all frames that ever were in the ring.
func (r *ring) end() uint64 {
	if len(r.ends) == 0 {
		return r.offset
	}
	return r.ends[len(r.ends)-1]
}

// push adds the frame that leads to at, one version above head, and forgets the oldest where it must.
func (r *ring) push(at eventstore.Position, frame []byte) {
	r.append(at, frame)
	for len(r.frames) > ringFrames || r.end()-r.offset > ringBytes && len(r.frames) > 1 {
		r.cut(1)
	}
}

// append is push that forgets nothing.
func (r *ring) append(at eventstore.Position, frame []byte) {
	r.ends = append(r.ends, r.end()+uint64(len(frame)))
	r.at = append(r.at, at)
	r.frames = append(r.frames, frame)
}

// cut forgets the oldest frames. Their memory goes when append moves the others to a new array.
func (r *ring) cut(count int) {
	if count > 0 {
		r.base, r.offset = r.at[count-1], r.ends[count-1]
		r.at, r.frames, r.ends = r.at[count:], r.frames[count:], r.ends[count:]
	}
}

// trim forgets all but the newest bytes, at once.
func (r *ring) trim(bytes uint64) {
	if r.end()-r.offset > bytes {
		floor := r.end() - bytes
		r.cut(sort.Search(len(r.ends), func(i int) bool { return r.ends[i] >= floor }))
		r.at, r.frames, r.ends = slices.Clone(r.at), slices.Clone(r.frames), slices.Clone(r.ends)
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
	return r.at[version-r.base.Version-1], true
}

// endAt returns the bytes of all frames up to and with version; of a version before the first, as if it were the base.
func (r *ring) endAt(version eventstore.Version) uint64 {
	switch {
	case version <= r.base.Version:
		return r.offset
	case version > r.head().Version:
		return r.end()
	}
	return r.ends[version-r.base.Version-1]
}

// after returns the frames after version, which the ring knows: up to limit of them and maxBytes, at least one if there
// is one; and the position they lead to.
func (r *ring) after(version eventstore.Version, limit, maxBytes int) ([][]byte, eventstore.Position) {
	first := int(version - r.base.Version)
	most := r.endAt(version) + uint64(max(maxBytes, 0))
	rest := r.ends[first:min(len(r.ends), first+limit)]
	count := sort.Search(len(rest), func(i int) bool { return rest[i] > most })
	if count == 0 && len(rest) > 0 {
		count = 1
	}
	at, _ := r.position(version + eventstore.Version(count))
	return r.frames[first : first+count : first+count], at
}
