package transport

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// processes starts servers that share presence by a bus.
func processes(t *testing.T, count int, change ...func(*socketLimits)) ([]*stage, *bus) {
	b := newBus()
	base := newStage(t)
	servers := make([]*stage, count)
	for i := range servers {
		servers[i] = base.process(t, func(s *Services) { s.Presence = b }, change...)
	}
	return servers, b
}

func silence(after time.Duration) func(*socketLimits) {
	return func(l *socketLimits) { l.presenceSilence = after }
}

func TestPresenceInOtherProcesses(t *testing.T) {
	on, b := processes(t, 3)
	a := on[0].join(t, "g", "clientId=a")
	a.shows(`1`)
	watcher, seen := on[1].join(t, "g", "clientId=w"), picture{}
	watcher.present(seen, map[string]string{"a": `1`})
	twin := on[2].join(t, "g", "clientId=a")
	twin.present(picture{}, map[string]string{}) // not itself, from elsewhere
	twin.shows(`2`)
	watcher.present(seen, map[string]string{"a": `2`})
	twin.leave()
	watcher.present(seen, map[string]string{"a": `1`}) // it is still there
	a.leave()
	watcher.present(seen, map[string]string{})
	watcher.leave()
	eventually(t, "nobody listens any more", func() bool { return b.listeners() == 0 })
}

// TestPresenceMessagesAreFew: however many clients move, a process sends about one message a tick.
func TestPresenceMessagesAreFew(t *testing.T) {
	on, b := processes(t, 2)
	const clients = 10
	watcher, seen, want := on[1].join(t, "g", "clientId=w"), picture{}, map[string]string{}
	peers := make([]*peer, clients)
	for i := range peers {
		peers[i] = on[0].join(t, "g", fmt.Sprint("clientId=c", i))
		want[fmt.Sprint("c", i)] = "99"
	}
	start := time.Now()
	for i := range 100 {
		for _, p := range peers {
			p.send(fmt.Sprintf(`{"type":"presence","data":%d}`, i))
		}
	}
	watcher.present(seen, want)
	b.mu.Lock()
	defer b.mu.Unlock()
	if most := int(time.Since(start)/presenceTick) + 8; b.published > most {
		t.Errorf("%d messages in %v, want %d at most", b.published, time.Since(start), most)
	}
}

// TestPresenceOfAKilledProcess: its clients go when it was not heard of for long, and those of one that lives stay.
func TestPresenceOfAKilledProcess(t *testing.T) {
	on, b := processes(t, 3, silence(300*time.Millisecond))
	killed, lives := on[0].join(t, "g", "clientId=killed"), on[1].join(t, "g", "clientId=lives")
	watcher, seen := on[2].join(t, "g", "clientId=w"), picture{}
	killed.shows(`1`)
	lives.shows(`2`)
	watcher.present(seen, map[string]string{"killed": `1`, "lives": `2`})
	place := presenceOn(on[0], "g").place
	b.set(func(message []byte) bool { // what is sent from there does not come any more
		decoded, err := decodePresence(message)
		return err != nil || decoded.place == place
	}, nil)
	watcher.present(seen, map[string]string{"lives": `2`})
	lives.shows(`3`)
	watcher.present(seen, map[string]string{"lives": `3`})
	time.AfterFunc(time.Second, func() { lives.send(`{"type":"presence","data":4}`) })
	watcher.present(seen, map[string]string{"lives": `4`}) // and not: gone, and back again
	b.set(nil, nil)                                        // it was only frozen
	killed.shows(`5`)
	watcher.present(seen, map[string]string{"killed": `5`, "lives": `4`})
}

func presenceOn(s *stage, graph string) *presence {
	w := s.server.sockets.presences
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open[graph]
}

// TestPresenceAfterLostMessages: what was missed while a subscription was down is asked for.
func TestPresenceAfterLostMessages(t *testing.T) {
	on, b := processes(t, 2)
	a, gone := on[0].join(t, "g", "clientId=a"), on[0].join(t, "g", "clientId=gone")
	watcher, seen := on[1].join(t, "g", "clientId=w"), picture{}
	a.shows(`1`)
	gone.shows(`1`)
	watcher.present(seen, map[string]string{"a": `1`, "gone": `1`})
	b.set(func([]byte) bool { return true }, nil)
	told := func(clients int) func() bool {
		return func() bool {
			p := presenceOn(on[0], "g")
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.here) == clients && len(p.news) == 0 && !p.underWay
		}
	}
	a.shows(`2`)
	gone.leave()
	eventually(t, "it was told and lost", told(1))
	b.set(nil, nil)
	b.reconnect()
	watcher.present(seen, map[string]string{"a": `2`})

	// Without a word from the subscription the next message shows that one is missing.
	b.set(func([]byte) bool { return true }, nil)
	a.shows(`3`)
	eventually(t, "it was told and lost", told(1))
	b.set(nil, nil)
	second := on[0].join(t, "g", "clientId=b")
	second.shows(`1`)
	watcher.present(seen, map[string]string{"a": `3`, "b": `1`})
}

// TestPresenceWhileNothingCanBePublished: here all goes on as ever, and the others are told later.
func TestPresenceWhileNothingCanBePublished(t *testing.T) {
	on, b := processes(t, 2)
	a, near := on[0].join(t, "g", "clientId=a"), on[0].join(t, "g", "clientId=near")
	far, seenFar, seenNear := on[1].join(t, "g", "clientId=far"), picture{}, picture{}
	b.set(nil, errors.New("away"))
	for i := range 5 {
		a.shows(fmt.Sprint(i))
		near.present(seenNear, map[string]string{"a": fmt.Sprint(i)})
	}
	far.quiet()
	b.set(nil, nil)
	far.present(seenFar, map[string]string{"a": `4`})
}

// TestPresenceOfOneSilentForLong: one that shows nothing for long is forgotten, and then heard without being asked for
// more.
func TestPresenceOfOneSilentForLong(t *testing.T) {
	on, b := processes(t, 2, silence(2*time.Second))
	a, watcher := on[0].join(t, "g", "clientId=a"), on[1].join(t, "g", "clientId=w")
	know := func(peers int) func() bool {
		return func() bool {
			return !slices.ContainsFunc(on, func(s *stage) bool {
				p := presenceOn(s, "g")
				p.mu.Lock()
				defer p.mu.Unlock()
				return len(p.roster.peers) != peers || p.asking
			})
		}
	}
	eventually(t, "the places know each other", know(1))
	eventually(t, "the places forget each other", know(0))
	b.set(func(message []byte) bool {
		if decoded, err := decodePresence(message); err != nil || decoded.asks {
			t.Errorf("somebody asks: %+v, %v", decoded, err)
		}
		return false
	}, nil)
	a.shows(`1`)
	watcher.present(picture{}, map[string]string{"a": `1`})
}

func TestPresenceLeavesNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("processes", func(t *testing.T) {
		on, b := processes(t, 2)
		for i := range 4 {
			on[i%2].join(t, fmt.Sprint("g", i/2), fmt.Sprint("clientId=c", i)).shows(`1`)
		}
		on[0].stop()
		on[1].stop()
		if left := b.listeners(); left > 0 {
			t.Errorf("%d subscriptions are left", left)
		}
	})
}
