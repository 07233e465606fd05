package redis

import (
	"strings"
	"testing"

	"graphy/eventstore"
)

func TestQueueOverflow(t *testing.T) {
	q := newQueue()
	big := eventstore.Event{Version: 1, Data: []byte(strings.Repeat("x", maxQueued/2))}
	q.put([]eventstore.Event{big, big})
	if taken := q.take(); taken.lost || len(taken.events) != 2 {
		t.Errorf("full: lost %v, %d events, want 2", taken.lost, len(taken.events))
	}
	q.put([]eventstore.Event{big, big, big})
	q.put([]eventstore.Event{big})
	if taken := q.take(); !taken.lost || len(taken.events) != 0 {
		t.Errorf("over full: lost %v, %d events, want lost and none", taken.lost, len(taken.events))
	}
	q.put([]eventstore.Event{big})
	if taken := q.take(); taken.lost || len(taken.events) != 1 {
		t.Errorf("afterwards: lost %v, %d events, want 1", taken.lost, len(taken.events))
	}
}

func TestNoticeQueueOverflow(t *testing.T) {
	q := &noticeQueue{ready: make(chan struct{}, 1)}
	big := []eventstore.Event{{Version: 1, Data: []byte(strings.Repeat("x", maxNoticeBytes))}}
	for range maxNotices + 5 {
		q.put(eventstore.Notice{Stream: "g", Head: 1, Events: big})
	}
	taken := q.take()
	if len(taken) != maxNotices || taken[0].Events == nil || taken[1].Events != nil {
		t.Errorf("%d notices, want %d, the first alone with events", len(taken), maxNotices)
	}
}
