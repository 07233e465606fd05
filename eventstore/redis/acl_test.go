package redis

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis/redistest"
)

// withACL are the arguments of a redis-server that knows the user of graphy.acl.
func withACL(t testing.TB) []string {
	t.Helper()
	path, err := filepath.Abs("graphy.acl")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--include", path}
}

// openAs returns stores of the user of graphy.acl, with a prefix of their own.
func openAs(url string) func(t *testing.T) *Store {
	return func(t *testing.T) *Store {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		client, subscriber, err := Dial(ctx, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		t.Cleanup(subscriber.Close)
		return New(client, subscriber, Options{Prefix: "graphy:" + newSender() + ":"})
	}
}

func conformAs(t *testing.T, url string) {
	open := openAs(url)
	t.Run("log", func(t *testing.T) {
		eventstoretest.Run(t, func(t *testing.T) eventstore.Log { return open(t) })
	})
	t.Run("maintainer", func(t *testing.T) {
		eventstoretest.RunMaintainer(t, func(t *testing.T) (eventstore.Log, eventstore.Maintainer) {
			s := open(t)
			return s, s
		})
	})
}

// TestLeastPrivilege runs the suites as the user of graphy.acl.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	server := redistest.StartOwn(t, withACL(t)...)
	conformAs(t, "redis://graphy:change-me@"+server.Addr)
}

func TestLeastPrivilegeInCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, withACL(t)...)
	var addresses []string
	for _, node := range cluster.Masters {
		addresses = append(addresses, node.Addr)
	}
	conformAs(t, "redis+cluster://graphy:change-me@"+strings.Join(addresses, ","))
}

// TestLeastPrivilegeIsLeast has the user of graphy.acl try what is none of its business.
func TestLeastPrivilegeIsLeast(t *testing.T) {
	server := redistest.StartOwn(t, withACL(t)...)
	other := server.Client(t)
	for _, key := range []string{"other", "graph:{g}:events"} {
		if err := other.Do(t.Context(), other.B().Set().Key(key).Value("mine").Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	client := openAs("redis://graphy:change-me@" + server.Addr)(t).client
	for _, words := range []string{
		"GET other", "SET other mine", "DEL other", "XADD graph:{g}:events 1-0 a b", "RENAME graphy:a other",
		"PUBLISH other message", "FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "CONFIG GET requirepass", "CONFIG SET maxmemory 1", "ACL LIST",
		"ACL SETUSER graphy allcommands", "CLIENT LIST", "CLIENT KILL ID 1", "SHUTDOWN NOSAVE", "SAVE", "BGREWRITEAOF",
		"REPLICAOF 127.0.0.1 1", "MONITOR", "MODULE LIST", "SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION LIST", "CLUSTER RESET",
		"CLUSTER FAILOVER", "MIGRATE 127.0.0.1 1 graphy:a 0 1", "DUMP graphy:a", "RESTORE graphy:a 0 x", "SWAPDB 0 1", "SELECT 1", "OBJECT FREQ graphy:a",
		"EVAL return(redis.call('GET','other')) 0", "EVAL return(redis.call('FLUSHALL')) 0", "EVAL return(redis.call('PUBLISH','other','message')) 0",
	} {
		answer := client.Do(t.Context(), client.B().Arbitrary(strings.Fields(words)...).Build())
		err := answer.Error()
		if _, answered := rueidis.IsRedisErr(err); !answered || !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "The user executing the script can't") {
			t.Errorf("%s: got %v, want a refusal for want of a right", words, err)
		}
	}
}
