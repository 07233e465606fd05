package transport

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// picture is who a viewer believes to be present.
type picture map[presenceKey]string

func (p picture) take(t rapid.TB, lines [][]byte) {
	for _, line := range lines {
		var frame struct {
			Type, ClientID, UserID string
			Data                   jsontext.Value
		}
		if err := json.Unmarshal(line, &frame, json.MatchCaseInsensitiveNames(true)); err != nil || frame.Type != "presence" {
			t.Fatalf("frame %q: %v", line, err)
		}
		key := presenceKey{frame.UserID, frame.ClientID}
		if p[key] = string(frame.Data); p[key] == "null" {
			delete(p, key)
		}
	}
}

func text(key string) presenceKey { return presenceKey{user: "user of " + key, client: key} }

func TestRosterNewestCounts(t *testing.T) {
	var r roster
	told := func(seen uint64, want string) uint64 {
		t.Helper()
		var got []string
		for _, line := range r.after(seen).lines {
			got = append(got, strings.TrimPrefix(string(line), `{"type":"presence",`))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("after %d: got %s, want %s", seen, s, want)
		}
		return r.number
	}
	a, b := presenceKey{"u", "a"}, presenceKey{"ü\"", "b"}
	r.tell("here", a, 1, []byte(`1`))
	r.tell("here", b, 1, []byte(`{"x":1}`))
	seen := told(0, `"clientId":"a","userId":"u","data":1} "clientId":"b","userId":"ü\"","data":{"x":1}}`)
	r.tell("here", a, 2, []byte(`2`))
	r.tell("here", b, 2, []byte(`3`))
	r.tell("here", a, 3, []byte(`4`))
	seen = told(seen, `"clientId":"b","userId":"ü\"","data":3} "clientId":"a","userId":"u","data":4}`)
	r.tell("here", a, 4, []byte(`4`))
	seen = told(seen, ``)
	r.tell("there", a, 9, []byte(`5`)) // said later, elsewhere
	r.tell("here", a, 8, []byte(`6`))
	seen = told(seen, `"clientId":"a","userId":"u","data":5}`)
	r.tell("there", a, 10, nil) // it is still here
	seen = told(seen, `"clientId":"a","userId":"u","data":6}`)
	r.tell("here", a, 11, nil)
	r.tell("here", a, 11, nil)
	r.tell("there", text("never"), 11, nil)
	before := seen
	seen = told(seen, `"clientId":"a","userId":"u","data":null}`)
	told(0, `"clientId":"b","userId":"ü\"","data":3}`)
	r.forget(before, 10)
	told(before, `"clientId":"a","userId":"u","data":null}`)
	r.forget(seen, 10)
	told(before, ``)
	if len(r.members) != 1 || r.gone != 0 {
		t.Errorf("%d members, %d gone, want b alone", len(r.members), r.gone)
	}
	r.tell("here", b, 20, nil)
	r.forget(0, 0)
	if len(r.members) != 0 || r.gone != 0 {
		t.Errorf("%d members, %d gone, want none", len(r.members), r.gone)
	}
}

func TestRosterWithoutOneself(t *testing.T) {
	var r roster
	for _, name := range []string{"a", "b", "c"} {
		r.tell("here", text(name), 1, []byte(`1`))
	}
	n := r.after(0)
	whole := slices.Clone(n.lines)
	got := n.without(text("b"))
	if len(got) != 2 || !bytes.Equal(got[0], whole[0]) || !bytes.Equal(got[1], whole[2]) {
		t.Errorf("got %q", got)
	}
	if len(n.without(text("x"))) != 3 || !slices.EqualFunc(n.lines, whole, bytes.Equal) {
		t.Error("what is shared has changed")
	}
}

// TestRosterAgainstModel: whatever a viewer misses in between, in the end it sees who is there and nobody else.
func TestRosterAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r roster
		model := map[string]map[presenceKey]string{"here": {}, "there": {}} // by place
		type watcher struct {
			seen    uint64
			picture picture
		}
		var watchers []*watcher
		clock := uint64(0)
		newest := map[presenceKey]string{}
		at := map[string]uint64{}
		look := func(w *watcher) {
			w.picture.take(t, r.after(w.seen).lines)
			w.seen = r.number
		}
		show := func(key presenceKey) {
			delete(newest, key)
			best := uint64(0)
			for place, said := range model {
				if when := at[place+key.client]; said[key] != "" && when > best {
					best, newest[key] = when, said[key]
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			place := rapid.SampledFrom([]string{"here", "there"}).Draw(t, "place")
			key := text(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "client"))
			clock++
			switch rapid.SampledFrom([]string{"say", "say", "leave", "join", "look", "forget"}).Draw(t, "step") {
			case "say":
				data := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "data"))
				model[place][key], at[place+key.client] = data, clock
				r.tell(place, key, clock, []byte(data))
				show(key)
			case "leave":
				delete(model[place], key)
				r.tell(place, key, clock, nil)
				show(key)
			case "join":
				watchers = append(watchers, &watcher{picture: picture{}})
			case "look":
				if len(watchers) > 0 {
					look(rapid.SampledFrom(watchers).Draw(t, "watcher"))
				}
			case "forget":
				lowest := r.number
				for _, w := range watchers {
					lowest = min(lowest, w.seen)
				}
				r.forget(lowest, 100)
			}
		}
		for _, w := range watchers {
			look(w)
			if fmt.Sprint(w.picture) != fmt.Sprint(picture(newest)) {
				t.Fatalf("sees %v, want %v", w.picture, newest)
			}
		}
		r.forget(r.number, 100)
		if r.gone != 0 || len(r.members) != len(newest) {
			t.Fatalf("%d members, %d gone; %d are there", len(r.members), r.gone, len(newest))
		}
	})
}

// TestPresenceMessagesLost: places tell each other of their clients over a channel that loses and doubles messages. Once
// it does no more and whoever missed something has asked, all see the same.
func TestPresenceMessagesLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := newPresences(&sockets{server: &Server{services: Services{Presence: newBus()}}}, prometheus.NewRegistry())
		places := make([]*presence, 3)
		for i := range places {
			places[i] = newPresenceAt(set, fmt.Sprint("place", i))
		}
		now := time.UnixMilli(1e12)
		send := func(p *presence, asking, loses bool) {
			for _, message := range p.messages(asking) {
				for _, other := range places {
					times := 1
					if loses {
						times = rapid.IntRange(0, 2).Draw(t, "times")
					}
					for range times {
						decoded, err := decodePresence(message)
						if err != nil {
							t.Fatal(err)
						}
						if other != p {
							other.asking = other.roster.hear(decoded, now) || other.asking
							other.all = other.all || decoded.asks
						}
					}
				}
			}
			p.news, p.all = nil, false
			if asking {
				p.asking = false
			}
		}
		truth := map[presenceKey]string{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, len(places)-1).Draw(t, "place")
			p := places[i]
			key := text(fmt.Sprint(i, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "client")))
			switch rapid.SampledFrom([]string{"say", "say", "leave", "send", "ask"}).Draw(t, "step") {
			case "say":
				data := strings.Repeat("1", rapid.SampledFrom([]int{1, 2, presenceMost}).Draw(t, "size"))
				p.here[key] = 1
				p.say(key, []byte(data))
				truth[key] = data
			case "leave":
				delete(p.here, key)
				p.say(key, nil)
				delete(truth, key)
			case "send":
				send(p, false, true)
			case "ask":
				send(p, true, true)
			}
		}
		for _, p := range places { // what is sent from now on arrives: the next message shows what is missing
			send(p, false, false)
		}
		for range 3 {
			for _, p := range places {
				send(p, p.asking, false)
			}
		}
		for _, p := range places {
			if got, want := sees(t, p), fmt.Sprint(picture(truth)); got != want {
				t.Fatalf("%s sees %s, want %s", p.place, got, want)
			}
		}
		for _, p := range places { // one that is silent for long is gone, with its clients
			p.roster.expire(now.Add(time.Second))
			for key := range truth {
				if _, own := p.here[key]; !own && strings.Contains(sees(t, p), key.client) {
					t.Fatalf("%s still sees %v", p.place, key)
				}
			}
			if len(p.roster.peers) > 0 {
				t.Fatalf("%d peers are left", len(p.roster.peers))
			}
		}
	})
}

func sees(t rapid.TB, p *presence) string {
	seen := picture{}
	seen.take(t, p.roster.after(0).lines)
	return fmt.Sprint(seen)
}
