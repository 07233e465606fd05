package transport

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/transport/auth"
)

const (
	defaultHistory = 100
	maxHistory     = 1000

	// What one request looks through at most for the events of one user; it answers what it has found by then, and from
	// where to look on.
	historyPage  = 500      // events read at a time
	historyScan  = 20_000   // events in all
	historyBytes = 32 << 20 // of their data
)

// history is a part of a graph's history, newest first.
type history struct {
	events []eventstore.Event
	before eventstore.Version // what is left lies before it; 0: nothing is left
}

// getHistory answers the newest changes before a version, newest first, all or those of one user.
func (s *Server) getHistory(c echo.Context) error {
	r := c.Request()
	graph, err := idParam(c, "graphId")
	if err != nil {
		return err
	}
	q := parseQuery(r.URL.RawQuery)
	before := eventstore.Version(q.number("before", 0, 1, maxVersion))
	limit := q.count("limit", defaultHistory, maxHistory)
	user, ofUser := q.take("user")
	if _, err := s.enter(r, q, graph, auth.Viewer); err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.ReadLimit)
	defer cancel()
	var h history
	if ofUser {
		h, err = s.readHistoryOf(ctx, graph, user, before, limit)
	} else {
		h, err = s.readHistory(ctx, graph, before, limit)
	}
	if err != nil {
		return err
	}
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = h.append(buffer.bytes)
	return writeCompressible(c, buffer.bytes)
}

func (s *Server) readHistory(ctx context.Context, graph string, before eventstore.Version, limit int) (history, error) {
	page, err := s.services.Log.ReadBackward(ctx, graph, before, limit)
	return history{events: page, before: restBefore(page, limit)}, err
}

// restBefore returns before which version there may be more than page, for which limit events were asked for; 0 if it
// ends where the log begins.
func restBefore(page []eventstore.Event, limit int) eventstore.Version {
	if len(page) < limit || page[len(page)-1].Version == 1 {
		return 0
	}
	return page[len(page)-1].Version
}

// readHistoryOf reads backward until it has limit events of user, the log has no more, or it has looked through enough.
func (s *Server) readHistoryOf(ctx context.Context, graph, user string, before eventstore.Version, limit int) (history, error) {
	var h history
	start := time.Now()
	needle := appendString([]byte(`"userId":`), user) // as events are written; it sorts most of the others out
	for scanned, read := 0, 0; ; {
		page, err := s.services.Log.ReadBackward(ctx, graph, before, historyPage)
		if errors.Is(err, eventstore.ErrTrimmed) && scanned > 0 {
			return h, nil
		}
		if err != nil {
			return history{}, err
		}
		for i, event := range page {
			if !bytes.Contains(event.Data, needle) || projection.Text(projection.Member(event.Data, "userId")) != user {
				continue
			}
			if h.events = append(h.events, event); len(h.events) == limit {
				h.before = restBefore(page[:i+1], i+1)
				return h, nil
			}
		}
		before = restBefore(page, historyPage)
		scanned, read = scanned+len(page), read+dataBytes(page)
		if before == 0 || scanned >= historyScan || read >= historyBytes || time.Since(start) > s.opts.ReadLimit/2 {
			h.before = before
			return h, nil
		}
	}
}

// append appends the answer.
func (h history) append(dst []byte) []byte {
	dst = append(dst, `{"events":[`...)
	for i, event := range h.events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendChange(dst, event)
	}
	dst = append(dst, ']')
	if h.before > 0 {
		dst = appendNumber(dst, "before", int64(h.before))
	}
	return append(dst, '}')
}
