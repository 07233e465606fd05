package redis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/transport"
)

// Seen implements transport.Clients.
func (c *Clients) Seen(ctx context.Context, graph, client, connection string, limit int) ([]transport.Sighting, error) {
	ctx, cancel := context.WithTimeout(ctx, clientsLimit)
	defer cancel()
	fields, err := c.client.Do(ctx, c.client.B().Hgetall().Key(c.keys.Connections(graph)).Build()).AsStrMap()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, fmt.Errorf("clients of %q: %w: %w", graph, eventstore.ErrUnavailable, err)
	}
	oldest := time.Now().Add(-c.grace)
	var seen []transport.Sighting
	for field, value := range fields {
		one, ok := decodeConnection(field, value)
		if ok && !one.At.Before(oldest) && compareSightings(one.Client, one.Connection, client, connection) > 0 {
			one.Graph = graph
			seen = append(seen, one)
		}
	}
	slices.SortFunc(seen, func(a, b transport.Sighting) int {
		return compareSightings(a.Client, a.Connection, b.Client, b.Connection)
	})
	seen = seen[:min(len(seen), limit)]
	return seen, c.complete(ctx, graph, seen)
}

func compareSightings(client, connection, otherClient, otherConnection string) int {
	return cmp.Or(cmp.Compare(client, otherClient), cmp.Compare(connection, otherConnection))
}

// decodeConnection reads what a graph's hash of connections has of one.
func decodeConnection(field, value string) (s transport.Sighting, ok bool) {
	client, connection, ok := strings.Cut(field, " ")
	has, at, ok2 := strings.Cut(value, " ")
	version, err := strconv.ParseUint(has, 10, 64)
	heard, err2 := strconv.ParseInt(at, 10, 64)
	return transport.Sighting{Client: client, Connection: connection, At: time.UnixMilli(heard),
		Has: eventstore.Position{Version: eventstore.Version(version)}}, ok && ok2 && err == nil && err2 == nil
}

// complete adds to sightings on graph what is known of their clients.
func (c *Clients) complete(ctx context.Context, graph string, seen []transport.Sighting) error {
	var commands rueidis.Commands
	var clients []string
	for i := range seen {
		if i == 0 || seen[i].Client != seen[i-1].Client {
			clients = append(clients, seen[i].Client)
			commands = append(commands, c.client.B().Hgetall().Key(c.keys.Client(seen[i].Client)).Build())
		}
	}
	known := map[[2]string]transport.Sighting{} // by client and connection
	for i, result := range c.client.DoMulti(ctx, commands...) {
		fields, err := result.AsStrMap()
		if err != nil && !rueidis.IsRedisNil(err) {
			return fmt.Errorf("clients of %q: %w: %w", graph, eventstore.ErrUnavailable, err)
		}
		for field, lines := range fields {
			on, user, _ := strings.Cut(field, " ")
			if on != graph {
				continue
			}
			for _, one := range decodeLines(lines) {
				one.User = user
				known[[2]string{clients[i], one.Connection}] = one
			}
		}
	}
	for i := range seen {
		if one, found := known[[2]string{seen[i].Client, seen[i].Connection}]; found {
			one.Graph, one.Client = graph, seen[i].Client
			seen[i] = one
		}
	}
	return nil
}

// Where implements transport.Clients.
func (c *Clients) Where(ctx context.Context, user string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, clientsLimit)
	defer cancel()
	graph, err := c.client.Do(ctx, c.client.B().Hget().Key(c.keys.UserSession(user)).Field("graphId").Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", fmt.Errorf("where user %q is: %w: %w", user, eventstore.ErrUnavailable, err)
	}
	return graph, nil
}

// Forget implements transport.Clients.
func (c *Clients) Forget(ctx context.Context, client string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, clientsLimit)
	defer cancel()
	key := c.keys.Client(client)
	fields, err := c.client.Do(ctx, c.client.B().Hgetall().Key(key).Build()).AsStrMap()
	if err == nil && len(fields) > 0 {
		err = c.forget(ctx, client, fields)
	}
	if err != nil && !rueidis.IsRedisNil(err) {
		return false, fmt.Errorf("forget client %q: %w: %w", client, eventstore.ErrUnavailable, err)
	}
	return len(fields) > 0, nil
}

// forget removes what fields, of the client's own key, tell of, and then that key: so that what fails can be done again.
func (c *Clients) forget(ctx context.Context, client string, fields map[string]string) error {
	var commands rueidis.Commands
	for name, lines := range fields {
		graph, _, _ := strings.Cut(name, " ")
		var connections []string
		for _, one := range decodeLines(lines) {
			connections = append(connections, field(client, one.Connection))
		}
		if len(connections) > 0 {
			commands = append(commands, c.client.B().Hdel().Key(c.keys.Connections(graph)).Field(connections...).Build())
		}
		commands = append(commands, c.client.B().Hdel().Key(c.keys.Versions(graph)).Field(client).Build())
	}
	for _, result := range c.client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return c.client.Do(ctx, c.client.B().Del().Key(c.keys.Client(client)).Build()).Error()
}
