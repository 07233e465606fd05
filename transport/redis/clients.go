package redis

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/transport"
)

const (
	graceDefault = 300 * time.Second
	savedAtOnce  = 200             // sightings of one call: other calls wait behind it
	linesMost    = 8               // connections remembered of a client on a graph; the ones heard of first go
	fieldsMost   = 64              // graphs and users remembered of a client id
	clientsLimit = 2 * time.Second // of one call
)

//go:embed lua/sighting.lua
var sightingSource string

//go:embed lua/needed.lua
var neededSource string

// Scripts are sent in full: many go in one call, to any node of a cluster, and none may be missing there.
var (
	sightingScript = rueidis.NewLuaScriptNoSha(sightingSource)
	neededScript   = rueidis.NewLuaScriptNoSha(neededSource)
)

// ClientsOptions configure Clients. The zero value is ready to use.
type ClientsOptions struct {
	Grace time.Duration // how long a client is remembered after it was last heard of; default 300s
}

// Clients is transport.Clients on Redis. What it keeps, each key for the grace period after it was last written to:
//
//   - client:{client}, a hash: "<graph> <user>" → a line for each connection of the client there
//   - user:{user}:session, a hash: where the user was seen last
//   - graph:{graph}:versions, a hash: client → version, the version vector of the clients within grace
//   - graph:{graph}:connections, a hash: "<client> <connection>" → version and time, which it is kept by
//
// What a user's client has is in fields that no other user's client of the same name writes to.
type Clients struct {
	client rueidis.Client
	keys   redis.Keys
	grace  time.Duration

	mu     sync.Mutex
	swept  map[string]struct{} // graphs whose versions were cleared of clients long gone, since
	sweeps time.Time
}

var _ transport.Clients = (*Clients)(nil)

// NewClients returns Clients on client, which stays the caller's to close.
func NewClients(client rueidis.Client, keys redis.Keys, opts ClientsOptions) *Clients {
	return &Clients{client: client, keys: keys, grace: cmp.Or(opts.Grace, graceDefault), swept: map[string]struct{}{}}
}

// Save implements transport.Clients. A failed call may have saved some.
func (c *Clients) Save(ctx context.Context, seen []transport.Sighting) error {
	for len(seen) > 0 {
		some := seen[:min(len(seen), savedAtOnce)]
		if err := c.save(ctx, some); err != nil {
			return fmt.Errorf("save %d sightings of clients: %w: %w", len(seen), eventstore.ErrUnavailable, err)
		}
		seen = seen[len(some):]
	}
	return nil
}

func (c *Clients) save(ctx context.Context, seen []transport.Sighting) error {
	ctx, cancel := context.WithTimeout(ctx, clientsLimit)
	defer cancel()
	now := time.Now()
	results := sightingScript.ExecMulti(ctx, c.client, c.notes(now, seen)...)
	results = append(results, c.client.DoMulti(ctx, c.summaries(seen)...)...)
	results = append(results, neededScript.ExecMulti(ctx, c.client, c.sweepings(now, seen)...)...)
	for _, result := range results {
		if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
	}
	return nil
}

// notes has each connection written to what is known of its client.
func (c *Clients) notes(now time.Time, seen []transport.Sighting) []rueidis.LuaExec {
	notes := make([]rueidis.LuaExec, len(seen))
	for i := range seen {
		s := &seen[i]
		notes[i] = rueidis.LuaExec{Keys: []string{c.keys.Client(s.Client)}, Args: []string{
			field(s.Graph, s.User), s.Connection, encodeLine(s), c.oldest(now),
			strconv.Itoa(linesMost), strconv.Itoa(fieldsMost), c.ttl()}}
	}
	return notes
}

// summaries writes, of all connections together, the versions of each graph and where each user is.
func (c *Clients) summaries(seen []transport.Sighting) rueidis.Commands {
	graphs, users := map[string][]*transport.Sighting{}, map[string]*transport.Sighting{}
	for i := range seen {
		s := &seen[i]
		graphs[s.Graph] = append(graphs[s.Graph], s)
		if last := users[s.User]; last == nil || !s.At.Before(last.At) {
			users[s.User] = s
		}
	}
	commands := make(rueidis.Commands, 0, 5*len(graphs)+2*len(users))
	for graph, seen := range graphs {
		commands = append(commands, c.vector(graph, seen)...)
	}
	for user, s := range users {
		key := c.keys.UserSession(user)
		commands = append(commands,
			c.client.B().Hset().Key(key).FieldValue().FieldValue("graphId", s.Graph).FieldValue("connectionId", s.Connection).
				FieldValue("lastActivity", millis(s.At)).FieldValue("clientVersion", version(s.Has.Version)).Build(),
			c.client.B().Pexpire().Key(key).Milliseconds(c.grace.Milliseconds()).Build())
	}
	return commands
}

// vector writes the versions of a graph's clients, and of each of their connections. One that gave no account and is
// gone needs nothing any more, since it will be given a state; nor does one of an empty graph.
func (c *Clients) vector(graph string, seen []*transport.Sighting) (commands rueidis.Commands) {
	connections, versions := c.keys.Connections(graph), c.keys.Versions(graph)
	var gone []string
	set, vector := c.client.B().Hset().Key(connections).FieldValue(), c.client.B().Hset().Key(versions).FieldValue()
	some := false
	for _, s := range seen {
		if s.Follows != "" {
			gone = append(gone, field(s.Client, s.Follows))
		}
		if !s.Known && (s.Left || s.Has.Version == 0) {
			gone = append(gone, field(s.Client, s.Connection))
			continue
		}
		set, some = set.FieldValue(field(s.Client, s.Connection), version(s.Has.Version)+" "+millis(s.At)), true
		vector = vector.FieldValue(s.Client, version(s.Has.Version))
	}
	if len(gone) > 0 {
		commands = append(commands, c.client.B().Hdel().Key(connections).Field(gone...).Build())
	}
	if some {
		expire := func(key string) rueidis.Completed {
			return c.client.B().Pexpire().Key(key).Milliseconds(c.grace.Milliseconds()).Build()
		}
		commands = append(commands, set.Build(), vector.Build(), expire(connections), expire(versions))
	}
	return commands
}

// sweepings clears the versions of the graphs in seen of clients long gone, each graph a few times a grace period.
func (c *Clients) sweepings(now time.Time, seen []transport.Sighting) (sweepings []rueidis.LuaExec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.sweeps) > c.grace/5 {
		clear(c.swept)
		c.sweeps = now
	}
	for i := range seen {
		if _, done := c.swept[seen[i].Graph]; !done {
			c.swept[seen[i].Graph] = struct{}{}
			sweepings = append(sweepings, c.sweeping(now, seen[i].Graph))
		}
	}
	return sweepings
}

func (c *Clients) sweeping(now time.Time, graph string) rueidis.LuaExec {
	return rueidis.LuaExec{Keys: []string{c.keys.Connections(graph), c.keys.Versions(graph)}, Args: []string{c.oldest(now)}}
}

// Find implements transport.Clients. A line that it cannot read, of another release, is left out.
func (c *Clients) Find(ctx context.Context, graph, user, client string) ([]transport.Sighting, error) {
	ctx, cancel := context.WithTimeout(ctx, clientsLimit)
	defer cancel()
	command := c.client.B().Hget().Key(c.keys.Client(client)).Field(field(graph, user)).Build()
	lines, err := c.client.Do(ctx, command).ToString()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find client %q: %w: %w", client, eventstore.ErrUnavailable, err)
	}
	oldest := time.Now().Add(-c.grace)
	seen := decodeLines(lines)
	kept := seen[:0]
	for _, s := range seen {
		if !s.At.Before(oldest) {
			s.Graph, s.User, s.Client = graph, user, client
			kept = append(kept, s)
		}
	}
	return kept, nil
}

// Needed implements transport.Clients.
func (c *Clients) Needed(ctx context.Context, graph string) (eventstore.Version, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, clientsLimit)
	defer cancel()
	sweeping := c.sweeping(time.Now(), graph)
	lowest, err := neededScript.Exec(ctx, c.client, sweeping.Keys, sweeping.Args).AsUint64()
	if rueidis.IsRedisNil(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("lowest version needed of %q: %w: %w", graph, eventstore.ErrUnavailable, err)
	}
	return eventstore.Version(lowest), true, nil
}

// field joins two names of which the first has no blank.
func field(name, rest string) string { return name + " " + rest }

func (c *Clients) oldest(now time.Time) string { return millis(now.Add(-c.grace)) }

func (c *Clients) ttl() string { return strconv.FormatInt(c.grace.Milliseconds(), 10) }

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func version(v eventstore.Version) string { return strconv.FormatUint(uint64(v), 10) }
