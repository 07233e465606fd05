package redis_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/transport"
	"graphy/transport/limit"
	"graphy/transport/redis"
)

// TestLeastPrivilege does what servers share as the user of graphy.acl, on one server and on a cluster.
func TestLeastPrivilege(t *testing.T) {
	path, err := filepath.Abs("../../eventstore/redis/graphy.acl")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.StartOwn(t, "--include", path)
	cluster := redistest.StartCluster(t, "--include", path)
	for name, url := range map[string]string{
		"server":  "redis://graphy:change-me@" + server.Addr,
		"cluster": "redis+cluster://graphy:change-me@" + cluster.Masters[0].Addr,
	} {
		t.Run(name, func(t *testing.T) {
			client, subscriber, err := logredis.Dial(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			t.Cleanup(subscriber.Close)
			store := logredis.New(client, subscriber, logredis.Options{Prefix: "graphy:"})
			on := site{client: client, keys: store.Keys()}
			shareClients(t, on)
			shareTickets(t, on)
			shareNews(t, on, store)
		})
	}
}

func shareClients(t *testing.T, on site) {
	clients := redis.NewClients(on.client, on.keys, redis.ClientsOptions{})
	seen := transport.Sighting{Graph: "g", User: "u", Client: "c", Connection: "1", Has: eventstore.Position{Version: 3, Hash: "h"}, Known: true, At: time.Now()}
	if err := clients.Save(t.Context(), []transport.Sighting{seen}); err != nil {
		t.Fatal(err)
	}
	found, err := clients.Find(t.Context(), "g", "u", "c")
	if err != nil || len(found) != 1 {
		t.Errorf("find: %v, %v", found, err)
	}
	if found, err = clients.Seen(t.Context(), "g", "", "", 10); err != nil || len(found) != 1 {
		t.Errorf("seen: %v, %v", found, err)
	}
	if needed, ok, err := clients.Needed(t.Context(), "g"); err != nil || !ok || needed != 3 {
		t.Errorf("needed: %v, %v, %v", needed, ok, err)
	}
	if graph, err := clients.Where(t.Context(), "u"); err != nil || graph != "g" {
		t.Errorf("where: %q, %v", graph, err)
	}
	if known, err := clients.Forget(t.Context(), "c"); err != nil || !known {
		t.Errorf("forget: %v, %v", known, err)
	}
	if _, err := redis.NewSizes(on.client, on.keys).Of(t.Context(), "g"); err != nil {
		t.Errorf("sizes: %v", err)
	}
}

func shareTickets(t *testing.T, on site) {
	tickets := redis.NewTickets(on.client, on.keys)
	if err := tickets.Put(t.Context(), "t", []byte("value"), time.Minute); err != nil {
		t.Error(err)
	}
	if value, err := tickets.Take(t.Context(), "t"); err != nil || string(value) != "value" {
		t.Errorf("take: %q, %v", value, err)
	}
	grant, err := redis.NewRates(on.client, on.keys).Take(t.Context(), "user", "u", limit.Policy{Rate: 1, Burst: 3}, 2, 0)
	if err != nil || grant.Tokens != 2 {
		t.Errorf("rate: %+v, %v", grant, err)
	}
}

// shareNews publishes until it is heard: subscriptions take a moment.
func shareNews(t *testing.T, on site, store *logredis.Store) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	presence, heard := redis.NewPresence(store), make(chan struct{}, 1)
	kicks := redis.NewKicks(on.client, store)
	ended := make(chan struct{}, 2)
	go func() {
		presence.Subscribe(ctx, "g", func() {}, func([]byte) {
			select {
			case heard <- struct{}{}:
			default:
			}
		})
		ended <- struct{}{}
	}()
	go func() {
		kicks.Subscribe(ctx, func(transport.Kick) int { return 2 })
		ended <- struct{}{}
	}()
	for came := false; !came && ctx.Err() == nil; {
		if err := presence.Publish(ctx, "g", []byte("here")); err != nil {
			t.Error(err)
			break
		}
		select {
		case <-heard:
			came = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	for kicked := 0; kicked != 2 && ctx.Err() == nil; {
		var err error
		if kicked, err = kicks.Kick(ctx, transport.Kick{ClientID: "c"}); err != nil {
			t.Error(err)
			break
		}
	}
	if ctx.Err() != nil {
		t.Error("nothing was heard")
	}
	cancel()
	<-ended
	<-ended
}
