package transport

import (
	"context"
	"time"

	"graphy/eventstore"
	"graphy/transport/auth"
)

// Verifier tells who a token speaks for; *auth.Verifier is one.
type Verifier interface {
	// Verify returns the principal, or an error that wraps auth.ErrInvalid, auth.ErrExpired or auth.ErrUnavailable.
	Verify(ctx context.Context, token string) (*auth.Principal, error)
}

// Tickets keep what one-time tickets stand for, across processes.
type Tickets interface {
	// Put keeps value under id for so long.
	Put(ctx context.Context, id string, value []byte, long time.Duration) error
	// Take returns the value and forgets it, so that only one caller ever gets it; nil if there is none.
	Take(ctx context.Context, id string) ([]byte, error)
}

// Sighting says what one connection of a client has of a graph.
type Sighting struct {
	Graph, User, Client string
	Connection          string              // names it among those of all processes
	Follows             string              // the connection of the same client that it goes on from; "" if none
	Has                 eventstore.Position // everything up to it,
	Known               bool                // by the client's own account; else it may be less, and only the version counts
	Left                bool                // it is gone, and the client may come back
	At                  time.Time
}

// Clients remember, across processes and for a grace period after they were last heard of, which clients there are and
// what they have.
type Clients interface {
	// Save takes in what was seen lately, of each connection one sighting. It may be called again with the same.
	Save(ctx context.Context, seen []Sighting) error
	// Find returns the last sighting of each connection of a client that was heard of within the grace period.
	Find(ctx context.Context, graph, user, client string) ([]Sighting, error)
	// Needed returns the lowest version of graph that a client within its grace period has; false if there is none.
	Needed(ctx context.Context, graph string) (eventstore.Version, bool, error)

	// Seen returns the last sightings of up to limit connections to graph, by client and connection, those after the one
	// given. One whose user is not known any more has none.
	Seen(ctx context.Context, graph, client, connection string, limit int) ([]Sighting, error)
	// Where returns the graph that a user was seen on last; "" if there is none.
	Where(ctx context.Context, user string) (graph string, err error)
	// Forget forgets a client, and reports whether anything was known of it.
	Forget(ctx context.Context, client string) (bool, error)
}

// Presence carries news of cursors and selections between processes. Nothing of it is kept, and some may get lost.
type Presence interface {
	Publish(ctx context.Context, graph string, message []byte) error
	// Subscribe calls message for each message on graph until ctx is done, and begun whenever a subscription begins,
	// before which messages may have been missed. Both must be quick.
	Subscribe(ctx context.Context, graph string, begun func(), message func([]byte))
}
