package transport

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"graphy/eventstore"
)

// streamless are parameters of changes that ask for one answer.
var streamless = []string{"limit", "wait", "squash"}

// forStream reads what a stream is asked with beside the query. Last-Event-ID is the version that the client had come
// to when it was cut off, and goes before since: EventSource comes back with the query that it began with.
func (r *changesRequest) forStream(q *query, header http.Header) {
	r.stream = true
	for _, name := range streamless {
		if q.has(name) {
			q.fail("query parameter %q does not go together with an event stream", name)
		}
	}
	last := header["Last-Event-Id"]
	if len(last) == 0 || len(last) == 1 && last[0] == "" {
		return
	}
	version, err := strconv.ParseUint(last[0], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || len(last) > 1 {
		q.fail("header Last-Event-ID is %.64q, not the id of one event", strings.Join(last, ", "))
		return
	}
	if came := eventstore.Version(min(version, maxVersion)); came != r.since {
		r.since, r.hasHash = came, false // hash is the one of since
	}
}

// wantsEventStream tells whether the client would rather have Server-Sent Events than JSON (RFC 9110, Accept). Who takes
// anything has not asked for them.
func wantsEventStream(header http.Header) bool {
	stream, json := 0.0, -1.0 // quality; the most specific range that covers JSON counts
	specific := 0
	for _, line := range header["Accept"] {
		for item := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			rank := 0
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "text/event-stream":
				stream = quality(parameters)
			case "application/json":
				rank = 3
			case "application/*":
				rank = 2
			case "*/*":
				rank = 1
			}
			if rank > specific {
				specific, json = rank, quality(parameters)
			}
		}
	}
	return stream > 0 && stream > json
}
