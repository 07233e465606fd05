package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"

	"graphy/eventstore"
)

// deletedMessage is published on a stream's channel when the stream is deleted, or has got a new history.
const deletedMessage = "deleted"

// rewrittenMessage is published on a stream's channel when the stream has got new content, the old one and perhaps more.
const rewrittenMessage = "rewritten"

var errMessage = errors.New("foreign message")

// parseHeader splits what append.lua publishes on a stream's channel into the version of the first event, the number
// of events, and the lines that hold them.
func parseHeader(message string) (first eventstore.Version, count int, lines string, err error) {
	header, lines, _ := strings.Cut(message, "\n")
	version, number, _ := strings.Cut(header, " ")
	parsed, err := strconv.ParseUint(version, 10, 53)
	if err != nil || parsed == 0 {
		return 0, 0, "", errMessage
	}
	count, err = strconv.Atoi(number)
	if err != nil || count < 1 {
		return 0, 0, "", errMessage
	}
	return eventstore.Version(parsed), count, lines, nil
}

// parseLines returns the events of a message. Their data are copies.
func parseLines(first eventstore.Version, count int, lines string) ([]eventstore.Event, error) {
	if strings.Count(lines, "\n") != count || !strings.HasSuffix(lines, "\n") {
		return nil, errMessage
	}
	events := make([]eventstore.Event, 0, count)
	for line := range strings.Lines(lines) {
		hash, data, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok {
			return nil, errMessage
		}
		events = append(events, eventstore.Event{Version: first, Data: []byte(data), Hash: eventstore.Hash(hash)})
		first++
	}
	return events, nil
}

// doorbell is the message on the channel of all appends.
type doorbell struct {
	sender string // of the Store that appended
	head   eventstore.Version
	stream string
}

func (d doorbell) String() string { return fmt.Sprintf("%s %d %s", d.sender, d.head, d.stream) }

func parseDoorbell(message string) (doorbell, error) {
	sender, rest, _ := strings.Cut(message, " ")
	version, stream, _ := strings.Cut(rest, " ")
	head, err := strconv.ParseUint(version, 10, 53)
	if err != nil || stream == "" {
		return doorbell{}, errMessage
	}
	return doorbell{sender, eventstore.Version(head), stream}, nil
}

func newSender() string { return ulid.Make().String() }
