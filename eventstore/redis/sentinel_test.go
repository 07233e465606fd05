package redis_test

import (
	"testing"

	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// The sentinels tell who is the master, also when it is another one. What the new one did not have is lost, and who
// followed that is told, so only what is written from there on must be there.
func TestSentinelsFailOver(t *testing.T) {
	t.Parallel()
	watched := redistest.StartSentinels(t)
	log, client := dial(t, watched.URL, "")
	other, _ := dial(t, watched.URL, "")
	w := writer{log: log}
	w.mustWrite(t, 50)
	f := startFollower(within(t, patience), t, other, "g")
	f.until(w.position())
	w.check(t)
	if report, err := redis.Check(t.Context(), client); err != nil || !report.Ready() {
		t.Errorf("got %+v, %v, want ready", report, err)
	}

	watched.Master.Kill()
	at, err := log.Head(within(t, patience), "g")
	if err != nil {
		t.Fatal(err)
	}
	if lost := len(w.history) - int(at.Version); lost > 0 {
		t.Logf("the new master lacks %d events", lost)
		w.history = w.history[:at.Version]
		f = startFollower(within(t, patience), t, other, "g")
	}
	w.mustWrite(t, 50)
	f.until(w.position())
	w.check(t)
}
