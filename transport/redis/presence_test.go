package redis_test

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// sees reads until the tab sees what is wanted: client → data.
func (c *tab) sees(seen, want map[string]string) {
	c.Helper()
	for !maps.Equal(seen, want) {
		f := c.next("presence")
		if seen[f.ClientID] = string(f.Data); string(f.Data) == "null" {
			delete(seen, f.ClientID)
		}
	}
}

func (c *tab) shows(data any) { c.send(`{"type":"presence","data":%v}`, data) }

func TestPresenceAcrossNodes(t *testing.T) {
	onKinds(t, func(t *testing.T, on site, start func(time.Duration) *node) {
		a, b := start(0), start(0)
		one, two := a.open("g", "clientId=one"), b.open("g", "clientId=two")
		one.shows(1)
		two.shows(2)
		seenByOne, seenByTwo := map[string]string{}, map[string]string{}
		one.sees(seenByOne, map[string]string{"two": "2"})
		two.sees(seenByTwo, map[string]string{"one": "1"})
		c := start(0)
		late := c.open("g", "clientId=late")
		late.sees(map[string]string{}, map[string]string{"one": "1", "two": "2"})
		one.leave()
		two.sees(seenByTwo, map[string]string{})
		two.shows(`{"x":3}`)
		late.sees(map[string]string{"two": "2"}, map[string]string{"two": `{"x":3}`})
	})
}

// TestPresenceOverKilledSubscriptions: Redis ends every subscription again and again while clients come, move and go.
func TestPresenceOverKilledSubscriptions(t *testing.T) {
	onKinds(t, func(t *testing.T, on site, start func(time.Duration) *node) {
		a, b := start(0), start(0)
		killSubscriptions := func() {
			for _, node := range on.client.Nodes() {
				if err := node.Do(t.Context(), node.B().Arbitrary("CLIENT", "KILL", "TYPE", "pubsub").Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
		}
		watcher, seen := b.open("g", "clientId=w"), map[string]string{}
		want := map[string]string{}
		stays := a.open("g", "clientId=stays")
		for i := range 30 {
			passing := a.open("g", fmt.Sprint("clientId=c", i))
			passing.shows(i)
			stays.shows(i)
			killSubscriptions()
			if i%3 > 0 {
				passing.leave()
			} else {
				want[fmt.Sprint("c", i)] = fmt.Sprint(i)
			}
		}
		want["stays"] = "29"
		watcher.sees(seen, want)
	})
}

// TestPresenceOfAKilledNode: what was shown there goes soon.
func TestPresenceOfAKilledNode(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, on site, start func(time.Duration) *node) {
		t.Parallel()
		a, b := start(0), start(0)
		one, two, watcher, seen := a.open("g", "clientId=one"), b.open("g", "clientId=two"), b.open("g", "clientId=w"), map[string]string{}
		one.shows(1)
		two.shows(2)
		watcher.sees(seen, map[string]string{"one": "1", "two": "2"})
		a.kill()
		began := time.Now()
		watcher.sees(seen, map[string]string{"two": "2"})
		if took := time.Since(began); took > 17*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
