package archive

import (
	"fmt"
	"strconv"
	"strings"

	"graphy/eventstore"
)

// Objects of a graph stand under its id, the newest position first in their names:
//
//	<graph>/<to version>-<to hash>-<from version>-<from hash>.events.zst
//	<graph>/<version>-<hash>.base.zst
//
// Versions have 20 digits, and no hash is "0".
const (
	segmentSuffix = ".events.zst"
	baseSuffix    = ".base.zst"
)

const partBytes = 200 // most bytes between two slashes that a graph's id takes; file systems have 255

// graphPrefix returns what the names of a graph's objects begin with. File systems that take upper for lower case, or
// want no dot at either end, keep graphs apart all the same: there is ~ and the two hex digits for whatever is not a
// lower-case letter, a digit, - or _, or a dot inside. A long one is continued behind "~/".
func graphPrefix(graph string) string {
	var name []byte
	part := 0
	for i := range len(graph) {
		if len(name)-part > partBytes-3 {
			name = append(name, "~/"...)
			part = len(name)
		}
		c := graph[i]
		if isLower(c) || c == '-' || c == '_' || c == '.' && i > 0 && i < len(graph)-1 && len(name) > part {
			name = append(name, c)
		} else {
			name = fmt.Appendf(name, "~%02x", c)
		}
	}
	return string(append(name, '/'))
}

// graphOf returns the graph of a prefix without its last slash; false if it is none.
func graphOf(prefix string) (string, bool) {
	var graph []byte
	for rest := strings.ReplaceAll(prefix, "~/", ""); rest != ""; rest = rest[1:] {
		c := rest[0]
		if c == '~' {
			if len(rest) < 3 {
				return "", false
			}
			code, err := strconv.ParseUint(rest[1:3], 16, 8)
			if err != nil {
				return "", false
			}
			c, rest = byte(code), rest[2:]
		}
		graph = append(graph, c)
	}
	// There is one way to write it.
	ok := checkGraph(string(graph)) == nil && graphPrefix(string(graph)) == prefix+"/"
	return string(graph), ok
}

func (s Segment) name() string {
	return graphPrefix(s.GraphID) + positionName(s.To) + "-" + positionName(s.From) + segmentSuffix
}

func baseName(graph string, at eventstore.Position) string {
	return graphPrefix(graph) + positionName(at) + baseSuffix
}

func positionName(at eventstore.Position) string {
	hash := string(at.Hash)
	if at.Version == 0 {
		hash = "0"
	}
	return fmt.Sprintf("%020d-%s", at.Version, hash)
}

// parseName says what object has a name: a segment, or a base, which is one from its position to the same; false if it
// is not one of ours.
func parseName(name string) (segment Segment, ok bool) {
	slash := strings.LastIndexByte(name, '/')
	if slash < 0 {
		return Segment{}, false
	}
	if segment.GraphID, ok = graphOf(name[:slash]); !ok {
		return Segment{}, false
	}
	text, isSegment := strings.CutSuffix(name[slash+1:], segmentSuffix)
	text, isBase := strings.CutSuffix(text, baseSuffix)
	parts := strings.Split(text, "-")
	switch {
	case isSegment && len(parts) == 4:
		segment.To, segment.From = parsePosition(parts[0], parts[1]), parsePosition(parts[2], parts[3])
		ok = segment.From.Version < segment.To.Version && segment.name() == name
	case isBase && len(parts) == 2:
		segment.To = parsePosition(parts[0], parts[1])
		segment.From = segment.To
		ok = segment.To.Version > 0 && baseName(segment.GraphID, segment.To) == name
	default:
		return Segment{}, false
	}
	return segment, ok && checkPosition(segment.From) == nil && checkPosition(segment.To) == nil
}

// parsePosition reads a position as positionName writes it; what is none becomes something that has another name.
func parsePosition(version, hash string) eventstore.Position {
	number, err := strconv.ParseUint(version, 10, 64)
	if err != nil || number == 0 {
		return eventstore.Position{}
	}
	return eventstore.Position{Version: eventstore.Version(number), Hash: eventstore.Hash(hash)}
}

// checkName tells whether name is one that a Store may keep.
func checkName(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		ok := part != "" && part != "." && part != ".." && len(part) <= 255
		for i := 0; ok && i < len(part); i++ {
			c := part[i]
			ok = isLower(c) || c >= 'A' && c <= 'Z' || c == '.' || c == '_' || c == '-' || c == '~'
		}
		if !ok {
			return fmt.Errorf("archive: %.300q is no name of an object", name)
		}
	}
	return nil
}
