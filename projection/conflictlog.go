package projection

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// keptResolved is how many resolved conflicts a ConflictLog keeps, the newest.
const keptResolved = 100

// ConflictLog is what the fold keeps of conflicts that were left to people: all open ones and the newest resolved. The
// nil *ConflictLog is empty. A ConflictLog never changes; with returns another one.
type ConflictLog struct {
	records  map[string]jsontext.Value // by conflict id, as GET …/conflicts gives them (API.md)
	resolved []string                  // ids, the one resolved first in front
}

// Open returns how many conflicts are open.
func (l *ConflictLog) Open() int {
	if l == nil {
		return 0
	}
	return len(l.records) - len(l.resolved)
}

// Record returns the record of a conflict, nil if there is none (or it was resolved long ago), and whether it is open.
func (l *ConflictLog) Record(id string) (record jsontext.Value, open bool) {
	if l == nil {
		return nil, false
	}
	record = l.records[id]
	return record, record != nil && !slices.Contains(l.resolved, id)
}

// All yields the records in the order in which the conflicts arose.
func (l *ConflictLog) All() iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		if l == nil {
			return
		}
		for _, id := range slices.SortedFunc(maps.Keys(l.records), CompareConflicts) {
			if !yield(id, l.records[id]) {
				return
			}
		}
	}
}

// CompareConflicts orders conflict ids by the time the conflicts arose. An id is "<version>-<n>": the event that left the
// conflict open, and the entity's place among those of the event that have one.
func CompareConflicts(a, b string) int {
	return slices.Compare(conflictOrder(a), conflictOrder(b))
}

func conflictOrder(id string) []uint64 {
	version, n, _ := strings.Cut(id, "-")
	first, _ := strconv.ParseUint(version, 10, 64)
	second, _ := strconv.ParseUint(n, 10, 64)
	return []uint64{first, second}
}

// NewConflictLog returns the log that holds records, as All yielded them.
func NewConflictLog(records iter.Seq2[string, jsontext.Value]) *ConflictLog {
	l := &ConflictLog{records: maps.Collect(records)}
	if len(l.records) == 0 {
		return nil
	}
	for id, record := range l.records {
		if Member(record, "resolved") != nil {
			l.resolved = append(l.resolved, id)
		}
	}
	slices.SortFunc(l.resolved, func(a, b string) int {
		if order := compareNumbers(l.resolvedAt(a), l.resolvedAt(b)); order != 0 {
			return order
		}
		return CompareConflicts(a, b)
	})
	return l
}

func (l *ConflictLog) resolvedAt(id string) jsontext.Value {
	return Member(Member(l.records[id], "resolved"), "version")
}

// compareNumbers compares whole numbers without sign as they are written.
func compareNumbers(a, b jsontext.Value) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(string(a), string(b))
}

// with returns the log after event.
func (l *ConflictLog) with(event *Event) *ConflictLog {
	next := &ConflictLog{}
	if l != nil {
		next.records, next.resolved = maps.Clone(l.records), slices.Clone(l.resolved)
	}
	if next.records == nil {
		next.records = map[string]jsontext.Value{}
	}
	next.open(event)
	if resolution := event.Resolves; resolution != nil {
		next.resolve(resolution, event)
	}
	if id := event.Reopens; id != "" && next.records[id] != nil {
		next.records[id] = appendRecord(next.records[id], "open", nil)
		next.resolved = slices.DeleteFunc(next.resolved, func(resolved string) bool { return resolved == id })
	}
	if len(next.records) == 0 {
		return nil
	}
	return next
}

// leavesOpen tells whether a conflict may have paths that were left to people.
func leavesOpen(conflict jsontext.Value) bool { return bytes.Contains(conflict, []byte(`"conflictId"`)) }

// open adds a record for each conflict that event leaves to people.
func (l *ConflictLog) open(event *Event) {
	for path := range Elements(Member(event.Conflict, "paths")) {
		id := Text(Member(path, "conflictId"))
		if id == "" {
			continue
		}
		if l.records[id] == nil {
			l.records[id] = newRecord(id, path, event)
			continue
		}
		paths := Member(l.records[id], "paths")
		paths = append(append(slices.Clone(paths[:len(paths)-1]), ','), path...)
		l.records[id] = Overlay(l.records[id], slices.Concat([]byte(`{"paths":`), paths, []byte(`]}`)))
	}
}

func newRecord(id string, path jsontext.Value, event *Event) jsontext.Value {
	record := append(jsontext.Value(nil), `{"clientId":`...)
	record = appendQuoted(record, event.ClientID)
	record = appendText(record, "conflictId", id)
	record = appendRaw(record, "id", Member(path, "id"))
	record = appendRaw(record, "kind", Member(path, "kind"))
	record = appendText(record, "operationId", event.OperationID)
	record = append(append(appendName(record, "paths"), '['), path...)
	record = append(record, ']')
	record = appendText(record, "status", "open")
	record = appendNumber(record, "timestamp", event.Timestamp)
	record = appendText(record, "userId", event.UserID)
	record = appendNumber(record, "version", int64(event.Version))
	return append(record, '}')
}

// resolve closes a conflict; the one resolved longest ago goes where there are too many.
func (l *ConflictLog) resolve(resolution *Resolution, event *Event) {
	record, open := l.Record(resolution.ConflictID)
	if !open {
		return
	}
	how := appendQuoted([]byte(`{"choice":`), resolution.Choice)
	how = appendNumber(how, "timestamp", event.Timestamp)
	how = appendText(how, "userId", event.UserID)
	how = append(appendNumber(how, "version", int64(event.Version)), '}')
	l.records[resolution.ConflictID] = appendRecord(record, "resolved", how)
	l.resolved = append(l.resolved, resolution.ConflictID)
	for len(l.resolved) > keptResolved {
		delete(l.records, l.resolved[0])
		l.resolved = l.resolved[1:]
	}
}

// appendRecord returns record with another status; how is nil for an open conflict.
func appendRecord(record jsontext.Value, status string, how []byte) jsontext.Value {
	return Overlay(record, slices.Concat([]byte(`{"resolved":`), orNull(how), []byte(`,"status":"`+status+`"}`)))
}
