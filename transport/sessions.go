package transport

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
)

const (
	defaultSessions = 100
	maxSessions     = 1000
	sessionGraphs   = 1000 // graphs that are looked through for one page
)

// sessionFilter says which connections are wanted. They are listed by graph, client and connection.
type sessionFilter struct {
	graph, user string        // "": any
	after       sessionCursor // those after it
	limit       int
}

// sessionCursor is the place of a connection in the list, or behind all of a graph, if there is no connection.
type sessionCursor struct{ graph, client, connection string }

// String returns the cursor as parseSessionCursor reads it. Ids have no slash.
func (c sessionCursor) String() string {
	if c.connection == "" {
		return c.graph
	}
	return c.graph + "/" + c.client + "/" + c.connection
}

func parseSessionCursor(text string) sessionCursor {
	graph, rest, _ := strings.Cut(text, "/")
	client, connection, _ := strings.Cut(rest, "/")
	return sessionCursor{graph, client, connection}
}

// passed tells whether the cursor has passed a connection of its own graph.
func (c sessionCursor) passed(client, connection string) bool {
	return c.connection == "" || cmp.Or(cmp.Compare(client, c.client), cmp.Compare(connection, c.connection)) <= 0
}

// adminSessions lists connections of clients: those to this process, and what is known of the others.
func (s *Server) adminSessions(a *act) error {
	filter := sessionFilter{graph: a.q.cursor("graph"), limit: a.q.count("limit", defaultSessions, maxSessions)}
	filter.user, _ = a.q.take("user")
	cursor, _ := a.q.take("cursor")
	filter.after = parseSessionCursor(cursor)
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	page, err := s.sessionsOf(ctx, filter)
	if err != nil {
		return err
	}
	return a.answer(page)
}

// sessionsOf returns a page of connections.
func (s *Server) sessionsOf(ctx context.Context, filter sessionFilter) (page Sessions, err error) {
	page.Sessions = []SessionInfo{}
	here := s.connectionsHere(filter)
	names, err := s.graphsWithSessions(ctx, filter, here)
	if err != nil {
		return page, err
	}
	for i, name := range names {
		found, err := s.sessionsOn(ctx, name, filter, here[name], filter.limit-len(page.Sessions)+1)
		if err != nil {
			return page, err
		}
		room := filter.limit - len(page.Sessions)
		page.Sessions = append(page.Sessions, found[:min(len(found), room)]...)
		switch {
		case len(found) > room:
			last := page.Sessions[filter.limit-1]
			page.Cursor = sessionCursor{last.GraphID, last.ClientID, last.ConnectionID}.String()
			return page, nil
		case i == len(names)-1 && len(names) == sessionGraphs:
			page.Cursor = sessionCursor{graph: name}.String()
		}
	}
	return page, nil
}

// graphsWithSessions returns the graphs to look through, in order: at most sessionGraphs of them.
func (s *Server) graphsWithSessions(ctx context.Context, filter sessionFilter, here map[string][]SessionInfo) ([]string, error) {
	if filter.graph != "" {
		return []string{filter.graph}, nil
	}
	names := slices.Collect(maps.Keys(here))
	switch {
	case s.services.Clients == nil:
	case filter.user != "":
		where, err := s.services.Clients.Where(ctx, filter.user)
		if err != nil {
			return nil, err
		}
		if where != "" {
			names = append(names, where)
		}
	default:
		listed, err := s.services.Log.Streams(ctx, filter.after.graph, sessionGraphs)
		if err != nil {
			return nil, err
		}
		names = append(append(names, listed...), filter.after.graph)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return name == "" || name < filter.after.graph || name == filter.after.graph && filter.after.connection == ""
	})
	return names[:min(len(names), sessionGraphs)], nil
}

// sessionsOn returns up to limit connections to one graph: those to this process, and those that the processes remember.
func (s *Server) sessionsOn(ctx context.Context, graph string, filter sessionFilter, here []SessionInfo, limit int) ([]SessionInfo, error) {
	after := sessionCursor{}
	if filter.after.graph == graph {
		after = filter.after
	}
	found := slices.DeleteFunc(slices.Clone(here), func(one SessionInfo) bool {
		return after.graph != "" && after.passed(one.ClientID, one.ConnectionID)
	})
	known := map[string]bool{}
	for _, one := range here {
		known[one.ConnectionID] = true
	}
	for shared := s.services.Clients; shared != nil; {
		seen, err := shared.Seen(ctx, graph, after.client, after.connection, maxSessions)
		if err != nil {
			return nil, err
		}
		others := 0
		for i := range seen {
			one := infoOfSighting(&seen[i])
			if !known[one.ConnectionID] && (filter.user == "" || one.UserID == filter.user) {
				found = append(found, one)
				others++
			}
		}
		if len(seen) < maxSessions || others >= limit {
			break
		}
		last := seen[len(seen)-1]
		after.client, after.connection = last.Client, last.Connection
	}
	slices.SortFunc(found, func(a, b SessionInfo) int {
		return cmp.Or(cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.ConnectionID, b.ConnectionID))
	})
	return found[:min(len(found), limit)], nil
}

// infoOfSighting returns what the processes know of a connection.
func infoOfSighting(seen *Sighting) SessionInfo {
	info := SessionInfo{GraphID: seen.Graph, UserID: seen.User, ClientID: seen.Client, ConnectionID: seen.Connection,
		Kind: SessionElsewhere, Connected: connectedAt(seen.Connection), Heard: seen.At.UnixMilli(), Reported: seen.Has.Version}
	if seen.Left {
		info.Kind = SessionAway
	}
	return info
}

// connectedAt returns when a connection began, which its name tells; 0 if it does not.
func connectedAt(connection string) int64 {
	id, err := ulid.ParseStrict(connection)
	if err != nil {
		return 0
	}
	return int64(id.Time())
}

// connectionsHere returns the connections to this process, by graph.
func (s *Server) connectionsHere(filter sessionFilter) map[string][]SessionInfo {
	found := map[string][]SessionInfo{}
	add := func(info SessionInfo) {
		if (filter.graph == "" || info.GraphID == filter.graph) && (filter.user == "" || info.UserID == filter.user) {
			found[info.GraphID] = append(found[info.GraphID], info)
		}
	}
	for _, one := range s.sockets.clients.all() {
		add(one.info())
	}
	for _, one := range s.streams.all() {
		add(one.info())
	}
	return found
}

// info returns how a session stands.
func (s *session) info() SessionInfo {
	sent, queued := s.backlog()
	has, _ := s.known(false)
	info := SessionInfo{GraphID: s.graph, UserID: s.identity.UserID, ClientID: s.identity.ClientID, ConnectionID: s.connection,
		Kind: SessionWebSocket, Connected: connectedAt(s.connection), Reported: has.Version, Sent: sent.Version, Queued: queued}
	if s.address.IsValid() {
		info.Address = s.address.String()
	}
	if head := s.hub.position(); head.Version > sent.Version {
		info.Lag = uint64(head.Version - sent.Version)
	}
	return info
}
