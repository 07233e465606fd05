package main

import (
	"testing"
	"time"
)

func TestOperationIDTellsWhenItWasSent(t *testing.T) {
	m := newMover(nodesPerGraph)
	seen := map[string]bool{}
	for i := range 3 {
		now := time.Now().Add(time.Duration(i/2) * time.Second) // two at one moment
		frame := m.frame(nil, now)
		got, ok := stampOf(frame)
		if !ok || got.sent.Sub(now).Abs() > time.Microsecond || got.source != m.source {
			t.Errorf("%s was sent at %v by %d, %v; want %v by %d", frame, got.sent, got.source, ok, now, m.source)
		}
		seen[m.operationID(now).String()] = true
	}
	if len(seen) != 3 {
		t.Errorf("got %d operation ids, want 3", len(seen))
	}
	for _, text := range []string{"", `{"type":"sync"}`, `{"operationId":"01`, `{"operationId":"not-made-by-the-benchmark!!"}`} {
		if _, ok := stampOf([]byte(text)); ok {
			t.Errorf("%s has a time", text)
		}
	}
}
