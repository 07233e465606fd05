package redis_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/transport"
	"graphy/transport/redis"
)

// site is a Redis of some kind, and keys for one test.
type site struct {
	client rueidis.Client
	keys   logredis.Keys
	pass   func(time.Duration) // lets keys expire; nil: waiting does
}

// onEach runs a test on a real server, on a cluster, and on the one that is embedded.
func onEach(t *testing.T, test func(t *testing.T, on site)) {
	t.Run("server", func(t *testing.T) {
		server := redistest.Start(t)
		test(t, site{client: server.Client(t), keys: logredis.Keys{Prefix: server.Prefix(t)}})
	})
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		test(t, site{client: cluster.Client(t), keys: logredis.Keys{Prefix: cluster.Prefix(t)}})
	})
	t.Run("miniredis", func(t *testing.T) {
		server := miniredis.RunT(t)
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true,
			ForceSingleClient: true, AlwaysPipelining: true, AlwaysRESP2: true, DisableRetry: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		test(t, site{client: client, pass: server.FastForward})
	})
}

// all returns every key with the prefix, on all nodes.
func (s *site) all(t *testing.T) (keys []string) {
	t.Helper()
	for _, node := range s.client.Nodes() {
		some, err := node.Do(t.Context(), node.B().Keys().Pattern(s.keys.Prefix+"*").Build()).AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, some...)
	}
	slices.Sort(keys)
	return keys
}

func at(version eventstore.Version) eventstore.Position {
	if version == 0 {
		return eventstore.Position{}
	}
	return eventstore.Position{Version: version, Hash: eventstore.Hash(fmt.Sprintf("%032x", version))}
}

// now is a time as Redis keeps it.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }

func save(t *testing.T, c *redis.Clients, seen ...transport.Sighting) {
	t.Helper()
	if err := c.Save(t.Context(), seen); err != nil {
		t.Fatalf("save: %v", err)
	}
}

func find(t *testing.T, c *redis.Clients, graph, user, client string) []transport.Sighting {
	t.Helper()
	seen, err := c.Find(t.Context(), graph, user, client)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	return seen
}

func needed(t *testing.T, c *redis.Clients, graph string) string {
	t.Helper()
	version, any, err := c.Needed(t.Context(), graph)
	if err != nil {
		t.Fatalf("needed: %v", err)
	}
	if !any {
		return "none"
	}
	return fmt.Sprint(version)
}

func TestClientsAreFound(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		c := redis.NewClients(on.client, on.keys, redis.ClientsOptions{})
		a := transport.Sighting{Graph: "g", User: "u", Client: "tab", Connection: "c1", Has: at(7), Known: true, At: now()}
		b := transport.Sighting{Graph: "g", User: "a user: ü", Client: "tab", Connection: "c2", Has: at(9), Left: true, At: now()}
		save(t, c, a, b)
		check := func(user string, want ...transport.Sighting) {
			t.Helper()
			if got := find(t, c, "g", user, "tab"); !slices.Equal(got, want) {
				t.Errorf("of %q: got %+v, want %+v", user, got, want)
			}
		}
		check("u", a)
		check("a user: ü", b)
		check("a") // whose name is the beginning of another's

		for _, key := range [][3]string{{"h", "u", "tab"}, {"g", "u", "other"}, {"g", "v", "tab"}} {
			if got := find(t, c, key[0], key[1], key[2]); len(got) > 0 {
				t.Errorf("of %v: got %+v, want none", key, got)
			}
		}

		a.Has, a.Known, a.Left = eventstore.Position{}, false, true
		a2 := a
		a2.Connection, a2.Follows, a2.Has, a2.Known, a2.Left = "c3", "c1", at(12), true, false
		save(t, c, a, a2)
		save(t, c, a, a2)
		check("u", a, a2)
	})
}

func TestClientsHoldLittle(t *testing.T) {
	server := redistest.Start(t)
	client, keys := server.Client(t), logredis.Keys{Prefix: server.Prefix(t)}
	c := redis.NewClients(client, keys, redis.ClientsOptions{Grace: time.Minute})
	var seen []transport.Sighting
	for i := range 700 { // one client id, many connections and many users
		s := transport.Sighting{Graph: "g", User: "u", Client: "tab", Connection: fmt.Sprint("c", i), Has: at(1), Known: true, At: now()}
		if i%2 == 1 {
			s.User = fmt.Sprint("u", i)
		}
		seen = append(seen, s)
	}
	save(t, c, seen...)
	fields, err := client.Do(t.Context(), client.B().Hgetall().Key(keys.Client("tab")).Build()).AsStrMap()
	if err != nil || len(fields) != 64 {
		t.Errorf("got %d fields, %v, want 64", len(fields), err)
	}
	if got := find(t, c, "g", "u", "tab"); len(got) != 8 || got[7].Connection != "c698" {
		t.Errorf("got %d connections, %+v, want the newest 8", len(got), got)
	}

	// Fields of long ago make room.
	later := redis.NewClients(client, keys, redis.ClientsOptions{Grace: time.Nanosecond})
	eventually(t, "there is room", func() bool {
		_ = later.Save(t.Context(), []transport.Sighting{{Graph: "g", User: "new", Client: "tab", Connection: "x", At: now()}})
		count, err := client.Do(t.Context(), client.B().Hlen().Key(keys.Client("tab")).Build()).AsInt64()
		return err == nil && count <= 1
	})
}

func TestNeeded(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		c := redis.NewClients(on.client, on.keys, redis.ClientsOptions{})
		seen := func(connection string, version eventstore.Version, change ...func(*transport.Sighting)) {
			t.Helper()
			s := transport.Sighting{Graph: "g", User: "u", Client: "tab" + connection, Connection: connection, Has: at(version), Known: true, At: now()}
			for _, change := range change {
				change(&s)
			}
			save(t, c, s)
		}
		check := func(when, want string) {
			t.Helper()
			if got := needed(t, c, "g"); got != want {
				t.Errorf("%s: %s is needed, want %s", when, got, want)
			}
		}
		check("nobody", "none")
		seen("1", 50)
		seen("2", 9)
		seen("3", 100)
		check("three", "9")
		seen("2", 200)
		check("one came on", "50")
		seen("1", 50, func(s *transport.Sighting) { s.Left = true })
		check("one left and may come back", "50")
		seen("4", 60, func(s *transport.Sighting) { s.Client, s.Follows = "tab1", "1" })
		check("it is back", "60")
		seen("4", 60, func(s *transport.Sighting) { s.Client, s.Known, s.Left = "tab1", false, true })
		check("it was cut off and will be given a state", "100")
		seen("5", 3, func(s *transport.Sighting) { s.Known = false })
		check("one gave no account", "3")
		seen("8", 0, func(s *transport.Sighting) { s.Known = false })
		check("one of an empty graph", "3")
		seen("6", 1, func(s *transport.Sighting) { s.Graph = "h" })
		check("other graph", "3")
		seen("7", 1, func(s *transport.Sighting) { s.At = now().Add(-301 * time.Second) })
		check("one past its grace", "3")
		seen("5", 3, func(s *transport.Sighting) { s.Known, s.Left = false, true })
		fields, err := on.client.Do(t.Context(), on.client.B().Hkeys().Key(on.keys.Connections("g")).Build()).AsStrSlice()
		slices.Sort(fields)
		if want := []string{"tab2 2", "tab3 3"}; err != nil || !slices.Equal(fields, want) {
			t.Errorf("got connections %q, %v, want %q", fields, err, want)
		}
		needed(t, c, "g") // which forgets the clients without any
		vector, err := on.client.Do(t.Context(), on.client.B().Hgetall().Key(on.keys.Versions("g")).Build()).AsStrMap()
		if want := map[string]string{"tab2": "200", "tab3": "100"}; err != nil || !maps.Equal(vector, want) {
			t.Errorf("got versions %q, %v, want %q", vector, err, want)
		}
	})
}

// TestVersionsAreSwept: the versions of clients long gone go also where nobody asks for the lowest.
func TestVersionsAreSwept(t *testing.T) {
	server := redistest.Start(t)
	client, keys := server.Client(t), logredis.Keys{Prefix: server.Prefix(t)}
	const grace = 300 * time.Millisecond
	c := redis.NewClients(client, keys, redis.ClientsOptions{Grace: grace})
	one := transport.Sighting{Graph: "g", User: "u", Client: "stays", Connection: "1", Has: at(1), Known: true, At: now()}
	for i := range 20 {
		save(t, c, transport.Sighting{Graph: "g", User: "u", Client: "goes", Connection: fmt.Sprint("x", i), Has: at(1), Known: true, At: now()})
	}
	eventually(t, "one is left", func() bool {
		one.At = now()
		save(t, c, one)
		fields, err := client.Do(t.Context(), client.B().Hlen().Key(keys.Versions("g")).Build()).AsInt64()
		return err == nil && fields == 1
	})
	if got := needed(t, c, "g"); got != "1" {
		t.Errorf("%s is needed, want 1", got)
	}
}

func TestUserSession(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		c := redis.NewClients(on.client, on.keys, redis.ClientsOptions{})
		earlier, later := now().Add(-time.Second), now()
		save(t, c,
			transport.Sighting{Graph: "g", User: "{u}", Client: "b", Connection: "2", Has: at(5), Known: true, At: later},
			transport.Sighting{Graph: "h", User: "{u}", Client: "a", Connection: "1", Has: at(7), Known: true, At: earlier})
		got, err := on.client.Do(t.Context(), on.client.B().Hgetall().Key(on.keys.UserSession("{u}")).Build()).AsStrMap()
		want := map[string]string{"graphId": "g", "connectionId": "2", "lastActivity": fmt.Sprint(later.UnixMilli()), "clientVersion": "5"}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}

// TestI10ClientsLeaveNoKey: when everybody has left and the grace period is over, no key is left.
func TestI10ClientsLeaveNoKey(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		const grace = 3 * time.Second
		c := redis.NewClients(on.client, on.keys, redis.ClientsOptions{Grace: grace})
		var seen []transport.Sighting
		for i := range 1200 {
			seen = append(seen, transport.Sighting{Graph: fmt.Sprint("g", i%7), User: fmt.Sprint("u", i%50), Client: fmt.Sprint("t", i%900),
				Connection: fmt.Sprint(i), Has: at(eventstore.Version(i)), Known: i%3 > 0, Left: i%2 > 0, At: now()})
		}
		save(t, c, seen...)
		if got := len(on.all(t)); got != 900+50+2*7 {
			t.Errorf("got %d keys, want %d", got, 900+50+2*7)
		}
		if on.pass != nil {
			on.pass(2 * grace)
		}
		eventually(t, "no key is left", func() bool { return len(on.all(t)) == 0 })
		if got := needed(t, c, "g1"); got != "none" {
			t.Errorf("%s is needed, want none", got)
		}
	})
}

func TestClientsWithoutRedis(t *testing.T) {
	server := redistest.StartOwn(t)
	c := redis.NewClients(server.Client(t), logredis.Keys{}, redis.ClientsOptions{})
	server.Kill()
	if err := c.Save(t.Context(), []transport.Sighting{{Graph: "g", User: "u", Client: "c", Connection: "1", At: now()}}); err == nil {
		t.Error("saved without a server")
	}
	if _, err := c.Find(t.Context(), "g", "u", "c"); err == nil {
		t.Error("found without a server")
	}
	if _, _, err := c.Needed(t.Context(), "g"); err == nil {
		t.Error("known without a server")
	}
}

// FuzzClientLines: what is in a field is decoded without harm, and what was written is read back.
func FuzzClientLines(f *testing.F) {
	f.Add("c1 1760000000000 kl 42 00112233445566778899aabbccddeeff c0\nc2 1760000000001 - 0 - -")
	f.Fuzz(func(t *testing.T, lines string) {
		for _, s := range redis.DecodeLines(lines) {
			line := redis.EncodeLine(&s)
			again := redis.DecodeLines(line)
			if len(again) != 1 || again[0] != s || strings.Contains(line, "\n") {
				t.Errorf("%q became %+v, and %q became %+v", lines, s, line, again)
			}
		}
	})
}
