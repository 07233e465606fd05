package redis_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	log "graphy/eventstore/redis"
)

// vandal is a projectiontest.Vandal of read models in Redis.
type vandal struct {
	client rueidis.Client
	keys   log.Keys
}

func (v vandal) do(t testing.TB, command ...string) rueidis.RedisResult {
	t.Helper()
	return v.client.Do(t.Context(), v.client.B().Arbitrary(command...).Build())
}

func (v vandal) key(graph, rest string) string {
	return v.keys.Prefix + "graph:{" + graph + "}:" + rest
}

// Field implements projectiontest.Vandal.
func (v vandal) Field(t testing.TB, graph, hash, field, value string) bool {
	key := v.key(graph, hash)
	if kind, _ := v.do(t, "TYPE", key).ToString(); kind == "string" {
		return false
	}
	if hash == "stats" && field != "foreign" {
		field = "type:" + field
	}
	if value == "" {
		gone, err := v.do(t, "HDEL", key, field).AsInt64()
		return err == nil && gone == 1
	}
	return v.do(t, "HSET", key, field, value).Error() == nil
}

// Member implements projectiontest.Vandal.
func (v vandal) Member(t testing.TB, graph, node, edge string, is bool) {
	command := "SREM"
	if is {
		command = "SADD"
	}
	_ = v.do(t, command, v.key(graph, "incident:"+node), edge).Error() // it may be of another type by now
}

// Retype implements projectiontest.Vandal.
func (v vandal) Retype(t testing.TB, graph, key string) bool {
	return v.do(t, "SET", v.key(graph, key), "x").Error() == nil
}

// kept ends the test if a key of a graph that is not staged would go away by itself.
func (v vandal) kept(t testing.TB, graph string) {
	t.Helper()
	keys, err := v.do(t, "KEYS", v.key(graph, "*")).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if left, err := v.do(t, "PTTL", key).AsInt64(); err != nil || left != -1 && !strings.Contains(key, ":staged:") {
			t.Errorf("%s goes away in %d ms, %v", key, left, err)
		}
	}
}

// staged returns the staged keys of a graph, and ends the test if one of them would stay for ever.
func (v vandal) staged(t testing.TB, graph string) []string {
	t.Helper()
	keys, err := v.do(t, "KEYS", v.key(graph, "staged:*")).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if left, err := v.do(t, "PTTL", key).AsInt64(); err != nil || left <= 0 || left > 3600_000 {
			t.Errorf("%s goes away in %d ms, %v", key, left, err)
		}
	}
	slices.Sort(keys)
	return keys
}
