package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// addStream starts a subscriber over Server-Sent Events.
func (a *audience) addStream(places ...string) *subscriber {
	return a.admit(&subscriber{places: places}, a.listen)
}

// listen is a session over Server-Sent Events. It comes back as EventSource does.
func (a *audience) listen(s *subscriber, place string) error {
	request, err := http.NewRequestWithContext(a.ctx, "GET", place+"/api/v2/graphs/"+a.graph+"/changes?since=0", nil)
	if err != nil {
		return err
	}
	request.Header = s.headers()
	request.Header.Set("Accept", "text/event-stream")
	if s.lastID != "" {
		request.Header.Set("Last-Event-ID", s.lastID)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil
	}
	s.joins.Add(1)
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 64<<20)
	for id, name, data := "", "", ""; lines.Scan(); {
		line := lines.Text()
		s.live.Store(true)
		if line != "" {
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "id":
				id = value
			case "event":
				name = value
			case "data":
				data = value
			}
			continue
		}
		if data != "" {
			if err := s.takeEvent(id, name, data); err != nil {
				return fmt.Errorf("I4: %w: %.200s", err, data)
			}
			s.lastID = id
			s.version.Store(s.replica.version)
		}
		id, name, data = "", "", ""
	}
	return nil
}

// takeEvent folds an event of a stream.
func (s *subscriber) takeEvent(id, name, data string) error {
	switch name {
	case "change":
		if err := s.apply([]byte(data)); err != nil {
			return err
		}
	case "reset":
		var update struct {
			Version uint64
			Hash    string
			Data    object
		}
		if err := json.Unmarshal([]byte(data), &update); err != nil {
			return err
		}
		if err := s.load(update.Data); err != nil {
			return err
		}
		if s.replica.version != update.Version || s.hash != update.Hash {
			return fmt.Errorf("reset to %d %s brings the state at %d %s", update.Version, update.Hash, s.replica.version, s.hash)
		}
	default:
		return fmt.Errorf("an event of name %q", name)
	}
	if id != fmt.Sprint(s.replica.version) {
		return fmt.Errorf("the id is %q at version %d", id, s.replica.version)
	}
	return nil
}
