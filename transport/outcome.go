package transport

import (
	"strconv"
	"sync/atomic"
	"time"

	"graphy/command"
	"graphy/eventstore"
)

// appendOutcome appends the answer to an accepted command, a JSON object (API.md, Commands). estimate is how many ms
// the read models are expected to need.
func appendOutcome(dst []byte, outcome *command.Outcome, estimate int64) []byte {
	return appendOutcomeMembers(append(dst, '{'), outcome, estimate)
}

// appendOutcomeMembers is appendOutcome without the opening brace, for messages that put a type in front.
func appendOutcomeMembers(dst []byte, outcome *command.Outcome, estimate int64) []byte {
	if outcome.Status == command.StatusCompleted || outcome.DryRun {
		estimate = 0
	}
	dst = append(dst, `"accepted":true,"operationId":`...)
	dst = appendString(dst, outcome.OperationID)
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendUint(dst, uint64(outcome.Version), 10)
	if !outcome.DryRun {
		dst = append(dst, `,"hash":`...)
		dst = appendString(dst, string(outcome.Hash))
	}
	dst = append(dst, `,"status":`...)
	dst = appendString(dst, outcome.Status)
	dst = append(dst, `,"estimatedProcessingTime":`...)
	dst = strconv.AppendInt(dst, estimate, 10)
	if outcome.Result != nil {
		dst = append(append(dst, `,"result":`...), outcome.Result...)
	}
	dst = appendSteps(dst, outcome)
	if outcome.Duplicate {
		dst = append(dst, `,"duplicate":true`...)
	}
	if outcome.Conflict != nil {
		dst = append(append(dst, `,"conflict":`...), outcome.Conflict...)
	}
	return append(dst, '}')
}

// appendSteps appends what only the answer to an undo or a redo tells.
func appendSteps(dst []byte, outcome *command.Outcome) []byte {
	switch {
	case len(outcome.Undoes) > 0:
		dst = appendVersions(appendName(dst, "undoes"), outcome.Undoes)
	case len(outcome.Redoes) > 0:
		dst = appendVersions(appendName(dst, "redoes"), outcome.Redoes)
	default:
		return dst
	}
	dst = appendName(dst, "skipped")
	if outcome.Skipped == nil {
		return append(dst, `[]`...)
	}
	return append(dst, outcome.Skipped...)
}

func appendVersions(dst []byte, versions []eventstore.Version) []byte {
	dst = append(dst, '[')
	for i, version := range versions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(version), 10)
	}
	return append(dst, ']')
}

// lagMeter estimates how long the read models take to reach a version that was just appended: a moving average of
// what was seen. The zero value estimates defaultLag.
type lagMeter struct {
	micros atomic.Int64 // 0: nothing seen yet
}

const defaultLag = 3 // ms

// observe takes a lag into the average. A lost update between two callers is of no account.
func (m *lagMeter) observe(lag time.Duration) {
	seen := max(lag.Microseconds(), 1)
	if average := m.micros.Load(); average > 0 {
		seen = max(average+(seen-average)/8, 1)
	}
	m.micros.Store(seen)
}

// estimate returns whole milliseconds, at least 1.
func (m *lagMeter) estimate() int64 {
	micros := m.micros.Load()
	if micros == 0 {
		return defaultLag
	}
	return max((micros+500)/1000, 1)
}
