package command

import (
	"iter"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file writes conflicts in the form of API.md, and reads them where the log holds them.

// appendConflict appends the conflict's JSON form to dst.
func appendConflict(dst []byte, paths []conflictPath) []byte {
	overall := paths[0].resolution
	for i := range paths {
		if paths[i].resolution != overall {
			overall = mixed
		}
	}
	dst = append(append(append(dst, `{"resolution":"`...), overall...), `","paths":[`...)
	for i := range paths {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = paths[i].appendJSON(dst)
	}
	return append(dst, "]}"...)
}

func (p *conflictPath) appendJSON(dst []byte) []byte {
	dst = append(append(append(dst, `{"kind":"`...), p.kind...), '"')
	dst = append(append(dst, `,"id":`...), quoted(p.id)...)
	dst = append(append(dst, `,"path":`...), quoted(p.path)...)
	dst = append(append(append(dst, `,"strategy":"`...), p.strategy...), '"')
	dst = append(append(append(dst, `,"resolution":"`...), p.resolution...), '"')
	if p.conflictID != "" {
		dst = append(append(append(dst, `,"conflictId":"`...), p.conflictID...), '"')
	}
	dst = appendOrNull(dst, `,"base":`, p.base)
	dst = appendOrNull(dst, `,"server":`, p.server)
	dst = appendOrNull(dst, `,"client":`, p.client)
	dst = appendOrNull(dst, `,"written":`, p.settlement.written)
	dst = append(append(dst, `,"by":{"userId":`...), quoted(p.by.UserID)...)
	dst = append(append(dst, `,"clientId":`...), quoted(p.by.ClientID)...)
	dst = strconv.AppendUint(append(dst, `,"version":`...), uint64(p.by.Version), 10)
	return append(dst, `}}`...)
}

func appendOrNull(dst []byte, name string, value jsontext.Value) []byte {
	dst = append(dst, name...)
	if value == nil {
		return append(dst, null...)
	}
	return append(dst, value...)
}

// openedBy yields the ids of the conflicts that an event left to people, one for each path.
func openedBy(event *record) iter.Seq[string] {
	return func(yield func(string) bool) {
		for path := range projection.Elements(projection.Member(event.Conflict, "paths")) {
			if id := projection.Text(projection.Member(path, "conflictId")); id != "" && !yield(id) {
				return
			}
		}
	}
}
