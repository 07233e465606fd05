package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/transport"
	"graphy/transport/redis"
)

func seen(t *testing.T, c *redis.Clients, graph, client, connection string, limit int) (found []string) {
	t.Helper()
	all, err := c.Seen(t.Context(), graph, client, connection, limit)
	if err != nil {
		t.Fatalf("seen: %v", err)
	}
	for _, s := range all {
		if s.Graph != graph {
			t.Errorf("%+v is not of %s", s, graph)
		}
		found = append(found, fmt.Sprint(s.User, " ", s.Client, " ", s.Connection, " ", s.Has.Version, " ", s.Left))
	}
	return found
}

// TestClientsAreSeenAndForgotten goes through what operators ask.
func TestClientsAreSeenAndForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		c := redis.NewClients(on.client, on.keys, redis.ClientsOptions{})
		save(t, c,
			transport.Sighting{Graph: "g", User: "ann", Client: "tab-2", Connection: "c2", Has: at(7), Known: true, At: now()},
			transport.Sighting{Graph: "g", User: "a user: ü", Client: "tab-1", Connection: "c1", Has: at(9), Known: true, Left: true, At: now()},
			transport.Sighting{Graph: "g", User: "ann", Client: "tab-1", Connection: "c3", Has: at(8), Known: true, At: now()},
			transport.Sighting{Graph: "h", User: "ann", Client: "tab-1", Connection: "c4", Has: at(1), Known: true, At: now()})
		all := []string{"a user: ü tab-1 c1 9 true", "ann tab-1 c3 8 false", "ann tab-2 c2 7 false"}
		tests := []struct {
			graph, client, connection string
			limit                     int
			want                      []string
		}{
			{"g", "", "", 10, all}, {"g", "", "", 2, all[:2]}, {"g", "tab-1", "c1", 10, all[1:]}, {"g", "tab-1", "c3", 10, all[2:]},
			{"g", "tab-2", "c2", 10, nil}, {"h", "", "", 10, []string{"ann tab-1 c4 1 false"}}, {"none", "", "", 10, nil},
		}
		for _, test := range tests {
			if got := seen(t, c, test.graph, test.client, test.connection, test.limit); !slices.Equal(got, test.want) {
				t.Errorf("%+v: got %q", test, got)
			}
		}
		if graph, err := c.Where(t.Context(), "a user: ü"); err != nil || graph != "g" {
			t.Errorf("where: got %q, %v, want g", graph, err)
		}
		if graph, err := c.Where(t.Context(), "nobody"); err != nil || graph != "" {
			t.Errorf("where: got %q, %v, want none", graph, err)
		}
		for _, want := range []bool{true, false} {
			if known, err := c.Forget(t.Context(), "tab-1"); err != nil || known != want {
				t.Errorf("forget: got %v, %v, want %v", known, err, want)
			}
		}
		if got := seen(t, c, "g", "", "", 10); !slices.Equal(got, all[2:]) {
			t.Errorf("after it: got %q", got)
		}
		if got := seen(t, c, "h", "", "", 10); got != nil {
			t.Errorf("after it, elsewhere: got %q", got)
		}
		if got := needed(t, c, "g"); got != "7" {
			t.Errorf("needed is %s, want 7", got)
		}
	})
}

func TestSizesOfGraphs(t *testing.T) {
	server := redistest.Start(t)
	client, prefix := server.Client(t), server.Prefix(t)
	keys := logredis.Keys{Prefix: prefix}
	sizes := redis.NewSizes(client, keys)
	if bytes, err := sizes.Of(t.Context(), "g"); err != nil || bytes != 0 {
		t.Errorf("of nothing: got %d, %v", bytes, err)
	}
	set := client.B().Hset().Key(keys.Nodes("g")).FieldValue().FieldValue("n", string(make([]byte, 100_000))).Build()
	if err := client.Do(t.Context(), set).Error(); err != nil {
		t.Fatal(err)
	}
	if bytes, err := sizes.Of(t.Context(), "g"); err != nil || bytes < 100_000 || bytes > 200_000 {
		t.Errorf("got %d, %v, want about 100,000", bytes, err)
	}
}

func TestSeenWithoutRedis(t *testing.T) {
	server := redistest.StartOwn(t)
	c := redis.NewClients(server.Client(t), logredis.Keys{}, redis.ClientsOptions{})
	server.Stop()
	_, err := c.Seen(t.Context(), "g", "", "", 10)
	_, err2 := c.Where(t.Context(), "u")
	_, err3 := c.Forget(t.Context(), "tab")
	for _, err := range []error{err, err2, err3} {
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
}
