package transport

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// findLimit bounds how long a client that comes is looked up among those that were here before. It is let in all the
// same.
const findLimit = time.Second

// comeBack returns what the first sync has to answer. A client that was connected lately goes on from there: what it had
// then stands for what it does not say itself.
func (s *session) comeBack(ctx context.Context) ask {
	question := s.first
	if !s.named {
		return question
	}
	last, found := predecessor(s.before(ctx), s.sockets.clients.isOpen, question)
	if !found {
		return question
	}
	s.follows = last.Connection
	s.sockets.clients.left.forget(s.key(), last.Connection)
	question.reconnected = true
	if !question.known && last.Known {
		question.known, question.claimed = true, true
		question.version, question.hash, question.hashed = last.Has.Version, last.Has.Hash, true
	}
	return question
}

// before returns the connections of the client that are remembered, here or by the other processes.
func (s *session) before(ctx context.Context) []Sighting {
	key := s.key()
	here := s.sockets.clients.left.find(key, time.Now().Add(-s.sockets.limits.remember))
	shared := s.sockets.server.services.Clients
	if shared == nil {
		return here
	}
	ctx, cancel := context.WithTimeout(ctx, findLimit)
	defer cancel()
	everywhere, err := shared.Find(ctx, key.graph, key.user, key.client)
	if err != nil {
		s.sockets.server.logger.Debug("client is looked up here alone", zap.String("graphId", s.graph), zap.Error(err))
	}
	for _, one := range everywhere {
		if !slices.ContainsFunc(here, func(h Sighting) bool { return h.Connection == one.Connection }) {
			here = append(here, one)
		}
	}
	return here
}

// predecessor returns the connection that a new one of the same client goes on from, out of all that are remembered
// and that no other has gone on from. An open one here is not lost, so nobody can come back from it. One that another
// process has may be lost, with the process or on the way.
//
// Where several are left the same id was used for more than one connection at a time. To take the wrong one would give
// a client less than it lacks: then only one that has just what the new one says it has is taken.
func predecessor(seen []Sighting, open func(connection string) bool, first ask) (Sighting, bool) {
	followed := map[string]bool{}
	for _, s := range seen {
		followed[s.Follows] = true
	}
	seen = slices.DeleteFunc(seen, func(s Sighting) bool { return followed[s.Connection] })
	if len(seen) > 1 {
		seen = slices.DeleteFunc(seen, func(s Sighting) bool { return !first.claims(s.Has) || open(s.Connection) })
	}
	if len(seen) == 0 || open(seen[0].Connection) {
		return Sighting{}, false
	}
	return seen[0], true
}

// claims tells whether the client says that it has just what has says.
func (a *ask) claims(has eventstore.Position) bool {
	return a.known && a.version == has.Version && (!a.hashed || a.hash == has.Hash)
}
