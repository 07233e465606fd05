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
	bytes    int                       // of all records
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
	return l.measured()
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
	return next.measured()
}

// measured counts the bytes of a log that is complete; it returns nil for an empty one.
func (l *ConflictLog) measured() *ConflictLog {
	if len(l.records) == 0 {
		return nil
	}
	for _, record := range l.records {
		l.bytes += len(record)
	}
	return l
}

// Size returns about how many bytes the log takes in memory.
func (l *ConflictLog) Size() int {
	if l == nil {
		return 0
	}
	return l.bytes + 100*len(l.records)
}

// difference returns the records in which next differs from l; nil for those that are gone.
func (l *ConflictLog) difference(next *ConflictLog) (records map[string]jsontext.Value) {
	if l == next {
		return nil
	}
	before, after := l.byID(), next.byID()
	for id, record := range after {
		if !bytes.Equal(before[id], record) {
			put(&records, id, record)
		}
	}
	for id := range before {
		if after[id] == nil {
			put(&records, id, nil)
		}
	}
	return records
}

func (l *ConflictLog) byID() map[string]jsontext.Value {
	if l == nil {
		return nil
	}
	return l.records
}

// leavesOpen tells whether a conflict may have paths that were left to people.
func leavesOpen(conflict jsontext.Value) bool {
	return bytes.Contains(conflict, []byte(`"conflictId"`))
}

// open adds a record for each conflict that event leaves to people, with all the paths that are its own.
func (l *ConflictLog) open(event *Event) {
	paths := map[string][]byte{}
	var first []jsontext.Value // path of each conflict
	for path := range Elements(Member(event.Conflict, "paths")) {
		id := Text(Member(path, "conflictId"))
		if id == "" {
			continue
		}
		if paths[id] == nil {
			first = append(first, path)
		} else {
			paths[id] = append(paths[id], ',')
		}
		paths[id] = append(paths[id], path...)
	}
	for _, path := range first {
		id := Text(Member(path, "conflictId"))
		if l.records[id] == nil {
			l.records[id] = newRecord(id, path, paths[id], event)
		}
	}
}

// newRecord returns the record of a conflict whose first path is first, and all of whose paths are paths.
func newRecord(id string, first jsontext.Value, paths []byte, event *Event) jsontext.Value {
	record := make(jsontext.Value, 0, 256+len(paths))
	record = appendQuoted(append(record, `{"clientId":`...), event.ClientID)
	record = appendText(record, "conflictId", id)
	record = appendRaw(record, "id", orNull(Member(first, "id")))
	record = appendRaw(record, "kind", orNull(Member(first, "kind")))
	record = appendText(record, "operationId", event.OperationID)
	record = append(append(append(appendName(record, "paths"), '['), paths...), ']')
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
