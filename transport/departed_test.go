package transport

import (
	"fmt"
	"testing"
	"time"

	"graphy/eventstore"
)

func TestDeparted(t *testing.T) {
	var d departed
	start := time.UnixMilli(1e12)
	name := func(i int) clientKey { return clientKey{"g", "u", fmt.Sprint(i)} }
	put := func(key clientKey, connection string, at time.Time) {
		d.put(Sighting{Graph: key.graph, User: key.user, Client: key.client, Connection: connection, At: at,
			Has: eventstore.Position{Version: 7}}, time.Hour)
	}
	for i := range departedMost + 10 {
		put(name(i), "c", start)
	}
	if len(d.clients) != departedMost || len(d.order) != departedMost {
		t.Errorf("%d clients and %d marks are kept, want %d", len(d.clients), len(d.order), departedMost)
	}
	if seen := d.find(name(9), start); seen != nil {
		t.Errorf("the one that left first is not forgotten: %v", seen)
	}
	if seen := d.find(name(10), start); len(seen) != 1 || seen[0].Has.Version != 7 {
		t.Errorf("got %v, want version 7", seen)
	}
	if seen := d.find(name(10), start.Add(time.Second)); seen != nil {
		t.Errorf("back after its time: %v", seen)
	}
	d.forget(name(10), "other")
	d.forget(name(10), "c")
	if seen := d.find(name(10), start); seen != nil {
		t.Errorf("taken twice: %v", seen)
	}
	for i := range departedEach + 2 {
		put(name(20), fmt.Sprint("again", i), start)
	}
	if seen := d.find(name(20), start); len(seen) != departedEach || seen[0].Connection != "again2" {
		t.Errorf("got %v, want the newest %d", seen, departedEach)
	}
	put(name(30), "late", start.Add(2*time.Hour))
	if len(d.clients) != 1 || len(d.order) != 1 {
		t.Errorf("%d clients and %d marks are kept after the grace period, want 1", len(d.clients), len(d.order))
	}
}
