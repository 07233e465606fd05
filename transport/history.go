package transport

import (
	"context"

	"github.com/labstack/echo/v4"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	defaultHistory = 100
	maxHistory     = 1000
	historyPage    = 1000 // events read at a time while looking for those of one user
)

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
	if _, err := s.identify(r, q); err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.ReadLimit)
	defer cancel()
	var events []eventstore.Event
	if ofUser {
		events, err = s.historyOf(ctx, graph, user, before, limit)
	} else {
		events, err = s.services.Log.ReadBackward(ctx, graph, before, limit)
	}
	if err != nil {
		return err
	}
	buffer := borrow()
	defer giveBack(buffer)
	body := append(buffer.bytes, `{"events":[`...)
	for i, event := range events {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendChange(body, event)
	}
	buffer.bytes = append(body, ']', '}')
	return writeCompressible(c, buffer.bytes)
}

// historyOf reads backward until it has limit events of user, or the log has no more.
func (s *Server) historyOf(ctx context.Context, graph, user string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	var found []eventstore.Event
	for {
		page, err := s.services.Log.ReadBackward(ctx, graph, before, historyPage)
		if err != nil {
			return nil, err
		}
		for _, event := range page {
			if projection.Text(projection.Member(event.Data, "userId")) == user {
				if found = append(found, event); len(found) == limit {
					return found, nil
				}
			}
		}
		if len(page) < historyPage || page[len(page)-1].Version == 1 {
			return found, nil
		}
		before = page[len(page)-1].Version
	}
}
