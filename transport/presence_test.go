package transport

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// shows sends presence and waits until the server has taken it.
func (p *peer) shows(data string) {
	p.Helper()
	p.send(`{"type":"presence","data":` + data + `}`)
	p.send(`{"type":"heartbeat"}`)
	p.expect("heartbeat")
}

// present reads until the peer sees what is wanted: client → data.
func (p *peer) present(seen picture, want map[string]string) {
	p.Helper()
	sees := func() string {
		got := map[string]string{}
		for key, data := range seen {
			got[key.client] = data
		}
		return fmt.Sprint(got)
	}
	for sees() != fmt.Sprint(want) {
		m, err := p.next("presence")
		if err != nil {
			p.Fatalf("sees %s, want %v: %v", sees(), want, err)
		}
		seen.take(p, [][]byte{m.raw})
	}
}

// quiet fails if the peer was sent presence until now.
func (p *peer) quiet() {
	p.Helper()
	p.send(`{"type":"heartbeat"}`)
	p.expect("heartbeat")
	for _, m := range p.other {
		if m.Type == "presence" {
			p.Errorf("unexpected: %s", m.raw)
		}
	}
}

func TestPresence(t *testing.T) {
	for _, batch := range []string{"", "&batch=true"} {
		s := newStage(t)
		a := s.join(t, "g", "clientId=a&userId=ann"+batch)
		b := s.join(t, "g", "clientId=b&userId=bob"+batch)
		seenByA, seenByB := picture{}, picture{}
		blank := "\n"
		if batch != "" {
			blank = " " // what is sent is lines, too
		}
		a.shows(`{"x": 1,` + blank + `"y": [ 2 ]}`)
		b.present(seenByB, map[string]string{"a": `{"x":1,"y":[2]}`})
		b.shows(`"B"`)
		a.present(seenByA, map[string]string{"b": `"B"`}) // not itself
		late := s.join(t, "g", "clientId=late"+batch)
		late.present(picture{}, map[string]string{"a": `{"x":1,"y":[2]}`, "b": `"B"`})
		a.shows(`null`)
		b.present(seenByB, map[string]string{})
		a.shows(`false`)
		b.present(seenByB, map[string]string{"a": `false`})
		a.leave()
		b.present(seenByB, map[string]string{})
		b.quiet()
		if at := s.commands.position("g"); at != (eventstore.Position{}) {
			t.Errorf("presence is in the log: %+v", at)
		}
		other := s.join(t, "h", "clientId=other")
		other.quiet()
	}
}

// TestPresenceOfOneClientTwice: the newest counts, and the client is there until its last connection has gone. Another
// user's client of the same name is another one.
func TestPresenceOfOneClientTwice(t *testing.T) {
	s := newStage(t)
	first, second := s.join(t, "g", "clientId=a"), s.join(t, "g", "clientId=a")
	watcher, seen := s.join(t, "g", "clientId=w"), picture{}
	first.shows(`1`)
	watcher.present(seen, map[string]string{"a": `1`})
	second.shows(`2`)
	watcher.present(seen, map[string]string{"a": `2`})
	foreign := s.join(t, "g", "clientId=a&userId=other")
	foreign.shows(`3`)
	for len(seen) < 2 {
		seen.take(t, [][]byte{watcher.expect("presence").raw})
	}
	foreign.leave()
	watcher.present(seen, map[string]string{"a": `2`})
	second.leave()
	watcher.quiet()
	first.shows(`4`)
	watcher.present(seen, map[string]string{"a": `4`})
	first.leave()
	watcher.present(seen, map[string]string{})
}

func TestPresenceRefused(t *testing.T) {
	s := newStage(t)
	p, watcher := s.join(t, "g", "clientId=a"), s.join(t, "g", "clientId=w")
	long := `"` + strings.Repeat("x", presenceMost-1) + `"`
	tests := []struct{ frame, code string }{
		{`{"type":"presence"}`, "invalid-payload"},
		{`{"type":"presence","data":1,"x":1}`, "invalid-payload"},
		{`{"type":"presence","data":1,"data":2}`, "malformed-json"},
		{`{"type":"presence","data":{"a":1,"a":2}}`, "malformed-json"},
		{`{"type":"presence","data":}`, "malformed-json"},
		{`{"type":"presence","data":` + long + `}`, "too-large"},
	}
	for _, test := range tests {
		p.send(test.frame)
		if m := p.expect("error"); m.Error.Code != test.code {
			t.Errorf("%.80s: got %s, want %s", test.frame, m.raw, test.code)
		}
	}
	watcher.quiet()
	long = long[2:] // as long as may be
	p.shows(`"` + long)
	watcher.present(picture{}, map[string]string{"a": `"` + long})
}

// TestPresenceIsCoalesced: of a flood only what is newest is passed on, and not often.
func TestPresenceIsCoalesced(t *testing.T) {
	s := newStage(t)
	p, watcher := s.join(t, "g", "clientId=a"), s.join(t, "g", "clientId=w")
	const flood = 5000
	start := time.Now()
	for i := range flood {
		p.send(fmt.Sprintf(`{"type":"presence","data":%d}`, i+1))
	}
	got, last := 0, ""
	for last != fmt.Sprint(flood) {
		m := watcher.expect("presence")
		var frame struct{ Data jsontext.Value }
		if err := json.Unmarshal(m.raw, &frame, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		got, last = got+1, string(frame.Data)
	}
	if most := int(time.Since(start)/presenceTick) + 2; got > most {
		t.Errorf("%d frames in %v, want %d at most", got, time.Since(start), most)
	}
	if sent := valueOf(s.server.sockets.presences.metrics.sent); int(sent) != got {
		t.Errorf("%v frames are counted, %d came", sent, got)
	}
	if received := valueOf(s.server.sockets.presences.metrics.received); received != flood {
		t.Errorf("%v frames are counted, %d were sent", received, flood)
	}
}

// TestI4PresenceBesideUpdates: a flood of presence takes no version from anybody, and in the end all see the same.
func TestI4PresenceBesideUpdates(t *testing.T) {
	s := newStage(t)
	const clients = 20
	peers := make([]*peer, clients)
	for i := range peers {
		peers[i] = s.join(t, "g", fmt.Sprint("clientId=c", i))
	}
	var working sync.WaitGroup
	for _, p := range peers {
		working.Go(func() {
			for i := range 200 {
				p.send(fmt.Sprintf(`{"type":"presence","data":%d}`, i))
			}
		})
	}
	working.Go(func() { s.commands.move(t, "g", 500) })
	working.Wait()
	for i, p := range peers {
		p.reach(s.commands.position("g"))
		want := map[string]string{}
		for j := range peers {
			if j != i {
				want[fmt.Sprint("c", j)] = "199"
			}
		}
		p.present(picture{}, want)
	}
}

// slow is a viewer that takes nothing for a while.
type slow struct {
	mu   sync.Mutex
	full bool
	picture
	t testing.TB
}

func (v *slow) offer(frames ...[]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.full {
		v.take(v.t, frames)
	}
	return !v.full
}

func (v *slow) set(full bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.full = full
}

func (v *slow) sees() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprint(v.picture)
}

// TestPresenceDroppedAndMadeUpFor: one that takes nothing for a while is told later what counts by then, also that
// somebody has gone meanwhile.
func TestPresenceDroppedAndMadeUpFor(t *testing.T) {
	s := newStage(t)
	p := newPresence(s.server.sockets.presences, "g")
	viewers := map[string]*slow{}
	for _, name := range []string{"a", "b", "lagging", "quick"} {
		viewers[name] = &slow{picture: picture{}, t: t}
		p.enter(viewers[name], text(name))
	}
	all := func(want ...string) string {
		p := picture{}
		for i := 0; i < len(want); i += 2 {
			p[text(want[i])] = want[i+1]
		}
		return fmt.Sprint(p)
	}
	awaits := func(name, want string) {
		t.Helper()
		eventually(t, name+" sees "+want, func() bool { return viewers[name].sees() == want })
	}
	p.show(viewers["a"], []byte(`1`))
	p.show(viewers["b"], []byte(`1`))
	awaits("lagging", all("a", "1", "b", "1"))
	viewers["lagging"].set(true)
	for i := range 50 {
		p.show(viewers["a"], fmt.Append(nil, i))
		awaits("b", all("a", fmt.Sprint(i)))
	}
	p.leave(viewers["b"])
	awaits("quick", all("a", "49"))
	p.mu.Lock()
	if p.roster.gone != 1 {
		t.Errorf("%d clients are kept that are gone, want b", p.roster.gone)
	}
	p.mu.Unlock()
	viewers["lagging"].set(false)
	awaits("lagging", all("a", "49"))
	eventually(t, "those who are gone are forgotten", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.roster.gone == 0 && p.due.IsZero()
	})
	if dropped := valueOf(p.set.metrics.dropped); dropped < 2 {
		t.Errorf("%v frames are counted as dropped", dropped)
	}
	p.close()
}

// TestI10PresenceLeavesNothing: nothing runs for presence while nothing happens, and with the last session of a graph
// it goes.
func TestI10PresenceLeavesNothing(t *testing.T) {
	s := newStage(t)
	p := s.join(t, "g", "clientId=a")
	p.shows(`1`)
	shown := presenceOn(s, "g")
	eventually(t, "no timer runs while nothing happens", func() bool {
		shown.mu.Lock()
		defer shown.mu.Unlock()
		return shown.due.IsZero()
	})
	p.leave()
	eventually(t, "it is gone", func() bool { return presenceOn(s, "g") == nil })
	s.join(t, "g", "clientId=b").quiet()
}
