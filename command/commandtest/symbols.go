package commandtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// symbols knows what the symbols of a case stand for, from the events that there are.
type symbols struct{ events []stamp }

// stamp is what symbols may name of an event.
type stamp struct {
	Timestamp int64  `json:"timestamp"`
	Checksum  string `json:"checksum"`
	Hash      string `json:"hash"`
}

var symbol = regexp.MustCompile(`^([@#~])([0-9]+)([+-][0-9]+)?$`)

// emptyChecksum is that of version 0.
const emptyChecksum = "0000000000000000"

// value returns what a string stands for: itself, unless it is a symbol.
func (s *symbols) value(text string) (any, error) {
	parts := symbol.FindStringSubmatch(text)
	if parts == nil {
		return text, nil
	}
	version, _ := strconv.Atoi(parts[2])
	if version > len(s.events) {
		return nil, fmt.Errorf("%s: there are %d events", text, len(s.events))
	}
	event := stamp{Checksum: emptyChecksum}
	if version > 0 {
		event = s.events[version-1]
	}
	switch parts[1] {
	case "#":
		return event.Checksum, nil
	case "~":
		return event.Hash, nil
	}
	offset, _ := strconv.Atoi(parts[3])
	return float64(event.Timestamp + int64(offset)), nil
}

// resolve replaces a JSON string that is a symbol.
func (s *symbols) resolve(value jsontext.Value) (jsontext.Value, error) {
	if value.Kind() != '"' {
		return value, nil
	}
	text, err := unquote(value)
	if err != nil {
		return nil, err
	}
	known, err := s.value(text)
	if err != nil {
		return nil, err
	}
	if number, ok := known.(float64); ok {
		return jsontext.Value(strconv.FormatInt(int64(number), 10)), nil
	}
	return json.Marshal(known)
}

func sortedNames[V any](members map[string]V) []string { return slices.Sorted(maps.Keys(members)) }
