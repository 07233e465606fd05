package main

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// update is a state_update of a version, of a command that a mover sends now.
func update(version int, m *mover, now time.Time) string {
	return string(plainUpdate(int64(version), m.frame(nil, now)))
}

func TestClientKnowsOrder(t *testing.T) {
	now := time.Now()
	other := newMover(1)
	const first = `{"type":"sync","status":"full","version":7}`
	next := func(version int) string { return update(version, other, now) }
	tests := []struct {
		name  string
		lines []string
		at    int64
		err   error
	}{
		{name: "in order", lines: []string{first, next(8), `{"type":"heartbeat"}`, next(9)}, at: 9},
		{name: "a hole", lines: []string{first, next(8), next(10)}, at: 8, err: errDisorder},
		{name: "a double", lines: []string{first, next(8), next(8)}, at: 8, err: errDisorder},
		{name: "a hole after the sync", lines: []string{first, next(9)}, at: 7, err: errDisorder},
		{name: "a second sync", lines: []string{first, next(8), `{"type":"sync","status":"behind","version":20}`}, at: 8, err: errSkipped},
	}
	for _, test := range tests {
		c := &client{mover: newMover(1), counts: period{from: now, to: now.Add(time.Second)}}
		var err error
		for _, line := range test.lines {
			if err = c.hear([]byte(line), now); err != nil {
				break
			}
		}
		if !errors.Is(err, test.err) || c.at.Load() != test.at {
			t.Errorf("%s: got %d, %v, want %d, %v", test.name, c.at.Load(), err, test.at, test.err)
		}
	}
	for _, refusal := range []string{`{"type":"revert","operationId":"1"}`, `{"type":"error","error":{}}`} {
		if (&client{}).hear([]byte(refusal), now) == nil {
			t.Errorf("%s is not an error", refusal)
		}
	}
}

// TestClientCountsWhatItShould: updates and presences that come in the time that counts; ages of what others sent in it.
func TestClientCountsWhatItShould(t *testing.T) {
	from := time.Now()
	c := &client{mover: newMover(1), synced: true, counts: period{from: from, to: from.Add(time.Second)}}
	other := newMover(1)
	for i, event := range []struct {
		sender     *mover
		sent, came time.Duration
	}{
		{other, -10 * time.Millisecond, -5 * time.Millisecond},
		{other, -5 * time.Millisecond, 5 * time.Millisecond},
		{other, 10 * time.Millisecond, 13 * time.Millisecond},
		{c.mover, 10 * time.Millisecond, 14 * time.Millisecond},
		{other, 999 * time.Millisecond, 1050 * time.Millisecond},
		{other, 1050 * time.Millisecond, 1060 * time.Millisecond},
	} {
		if err := c.hear([]byte(update(i+1, event.sender, from.Add(event.sent))), from.Add(event.came)); err != nil {
			t.Fatal(err)
		}
		if err := c.hear([]byte(`{"type":"presence","clientId":"tab-1"}`), from.Add(event.came)); err != nil {
			t.Fatal(err)
		}
	}
	if c.updates != 3 || c.presences != 3 {
		t.Errorf("counted %d updates and %d presences, want 3 of each", c.updates, c.presences)
	}
	want := []time.Duration{3 * time.Millisecond, 51 * time.Millisecond}
	if len(c.latencies) != len(want) {
		t.Fatalf("got ages %v, want %v", c.latencies, want)
	}
	for i, age := range c.latencies {
		if (age - want[i]).Abs() > time.Microsecond {
			t.Errorf("age %d is %v, want %v", i, age, want[i])
		}
	}
}

func TestQuantile(t *testing.T) {
	values := make([]time.Duration, 1000)
	for i := range values {
		values[(i*617)%1000] = time.Duration(i + 1)
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 501, 0.99: 991, 1: 1000} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v of 1..1000 is %d, want %d", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestVersionOf(t *testing.T) {
	for text, want := range map[string]int64{
		`{"type":"state_update","version":42,"x":1}`: 42, `{"version":0}`: 0, `{}`: -1, `{"version":"1"}`: -1, `{"version":`: -1,
	} {
		got, err := versionOf([]byte(text))
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	if _, err := versionOf(fmt.Appendf(nil, `{"version":%d}`, int64(1)<<62)); err != nil {
		t.Error(err)
	}
}
