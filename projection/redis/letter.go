package redis

import (
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

// isLetterID tells whether text is the id of an entry of a stream.
func isLetterID(text string) bool {
	millis, sequence, both := strings.Cut(text, "-")
	_, err := strconv.ParseUint(millis, 10, 64)
	_, failure := strconv.ParseUint(sequence, 10, 64)
	return both && err == nil && failure == nil
}

// decodeLetter returns the letter that an entry holds, of deadletters or of deadletters:closed; false if nobody of ours
// has written it.
func decodeLetter(entry rueidis.XRangeEntry) (projection.Letter, bool) {
	fields, ok := entry.FieldValues, true
	number := func(field string) int64 {
		number, err := strconv.ParseInt(fields[field], 10, 64)
		ok = ok && err == nil
		return number
	}
	letter := projection.Letter{ID: entry.ID, DeadLetter: projection.DeadLetter{Graph: fields["graph"],
		Version: eventstore.Version(number("version")), Cause: fields["cause"], Attempts: int(number("attempts")), Time: number("timestamp")}}
	if payload := fields["payload"]; payload != "" {
		letter.Payload = []byte(payload)
	}
	if id, closed := fields["id"]; closed {
		letter.ID = id
		letter.Closed = &projection.Closing{Outcome: fields["outcome"], Reason: fields["reason"], By: fields["by"], Time: number("closed")}
		ok = ok && isLetterID(id)
	}
	return letter, ok && letter.Graph != ""
}

// encodeLetter returns the fields of a closed letter, without its id.
func encodeLetter(letter *projection.Letter, closing projection.Closing) []string {
	return []string{"graph", letter.Graph, "version", version(letter.Version), "cause", letter.Cause,
		"attempts", strconv.Itoa(letter.Attempts), "payload", rueidis.BinaryString(letter.Payload),
		"timestamp", strconv.FormatInt(letter.Time, 10), "outcome", closing.Outcome, "reason", closing.Reason, "by", closing.By,
		"closed", strconv.FormatInt(closing.Time, 10)}
}
