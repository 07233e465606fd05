package redis

import (
	"strconv"
	"strings"
	"time"

	"graphy/eventstore"
	"graphy/transport"
)

// A connection is remembered as one line of words: its name, when it was heard of last (Unix ms), flags, version and
// hash of what it has, and the connection that it follows. A word that is empty is a dash.
const (
	flagKnown = "k"
	flagLeft  = "l"
	noWord    = "-"
)

func encodeLine(s *transport.Sighting) string {
	flags := ""
	if s.Known {
		flags += flagKnown
	}
	if s.Left {
		flags += flagLeft
	}
	return strings.Join([]string{s.Connection, millis(s.At), word(flags), version(s.Has.Version), word(string(s.Has.Hash)),
		word(s.Follows)}, " ")
}

func word(text string) string {
	if text == "" {
		return noWord
	}
	return text
}

func text(word string) string {
	if word == noWord {
		return ""
	}
	return word
}

// decodeLines returns the connections that it can read.
func decodeLines(lines string) (seen []transport.Sighting) {
	for line := range strings.SplitSeq(lines, "\n") {
		if s, ok := decodeLine(line); ok {
			seen = append(seen, s)
		}
	}
	return seen
}

func decodeLine(line string) (s transport.Sighting, ok bool) {
	words := strings.Split(line, " ")
	if len(words) != 6 || words[0] == "" {
		return s, false
	}
	at, err := strconv.ParseInt(words[1], 10, 64)
	has, err2 := strconv.ParseUint(words[3], 10, 64)
	if err != nil || err2 != nil {
		return s, false
	}
	return transport.Sighting{
		Connection: words[0],
		At:         time.UnixMilli(at),
		Known:      strings.Contains(words[2], flagKnown),
		Left:       strings.Contains(words[2], flagLeft),
		Has:        eventstore.Position{Version: eventstore.Version(has), Hash: eventstore.Hash(text(words[4]))},
		Follows:    text(words[5]),
	}, true
}
