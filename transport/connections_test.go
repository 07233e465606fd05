package transport

import (
	"fmt"
	"testing"

	"github.com/gorilla/websocket"
	"pgregory.net/rapid"
)

// TestTooManyConnections: over each of the limits a socket is closed with 1013, and there is room again when one leaves.
func TestTooManyConnections(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits ConnectionLimits
		in     []string // graph and user of who is let in
		out    string   // of who is not
		still  string   // of who is, all the same
	}{
		{"of the process", ConnectionLimits{Process: 2}, []string{"g ann", "h bob"}, "i eve", ""},
		{"of a graph", ConnectionLimits{Graph: 2}, []string{"g ann", "g bob"}, "g eve", "h eve"},
		{"of a user", ConnectionLimits{User: 2}, []string{"g ann", "h ann"}, "i ann", "i eve"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, func(o *Options) { o.Connections = test.limits })
			stage := s.stage()
			connect := func(who string) *peer {
				var graph, user string
				fmt.Sscan(who, &graph, &user)
				return stage.dial(t, graph, "userId="+user)
			}
			var peers []*peer
			for _, who := range test.in {
				p := connect(who)
				p.expect("sync")
				peers = append(peers, p)
			}
			if code := connect(test.out).closed(); code != websocket.CloseTryAgainLater {
				t.Errorf("%s: closed with %d, want 1013", test.out, code)
			}
			if test.still != "" {
				connect(test.still).expect("sync")
			}
			peers[0].conn.Close()
			for tries := 0; ; tries++ { // the server sees it go a little later
				p := connect(test.out)
				if m, err := p.read(); err == nil && m.Type == "sync" {
					break
				} else if !websocket.IsCloseError(err, websocket.CloseTryAgainLater) || tries > 1000 {
					t.Fatalf("after one has left: %s, %v", m.raw, err)
				}
			}
		})
	}
}

func TestConnectionLimitsOfDevelopment(t *testing.T) {
	if got := (ConnectionLimits{}).orDefault(true); got != (ConnectionLimits{Process: 20_000, Graph: 10_000, User: -1}) {
		t.Errorf("in development mode: got %+v, want none for a user", got)
	}
	if got := (ConnectionLimits{}).orDefault(false); got.User != 1000 {
		t.Errorf("else: got %+v, want 1000 for a user", got)
	}
	if got := (ConnectionLimits{User: 5}).orDefault(true); got.User != 5 {
		t.Errorf("set: got %+v, want 5 for a user", got)
	}
}

// TestI10ConnectionsAreCountedOut: counts are those of who is in, and nothing is kept of who is not.
func TestI10ConnectionsAreCountedOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := ConnectionLimits{Process: rapid.IntRange(1, 12).Draw(t, "process"), Graph: rapid.IntRange(1, 6).Draw(t, "graph"),
			User: rapid.IntRange(-1, 4).Draw(t, "user")}
		c := newConnections(limits)
		type connection struct{ graph, user string }
		var open []connection
		count := func(matches func(connection) bool) (n int) {
			for _, o := range open {
				if matches(o) {
					n++
				}
			}
			return n
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(open) > 0 && rapid.Bool().Draw(t, "leave") {
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				c.leave(open[i].graph, open[i].user)
				open = append(open[:i], open[i+1:]...)
				continue
			}
			o := connection{rapid.SampledFrom([]string{"g", "h"}).Draw(t, "on"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "of")}
			want := len(open) < limits.Process && count(func(other connection) bool { return other.graph == o.graph }) < limits.Graph &&
				(limits.User < 0 || count(func(other connection) bool { return other.user == o.user }) < limits.User)
			if err := c.enter(o.graph, o.user); (err == nil) != want {
				t.Fatalf("%+v beside %v under %+v: got %v, want let in: %v", o, open, limits, err, want)
			}
			if want {
				open = append(open, o)
			}
		}
		for _, o := range open {
			c.leave(o.graph, o.user)
		}
		if c.open != 0 || len(c.graphs) != 0 || len(c.users) != 0 {
			t.Fatalf("left behind: %d, %v, %v", c.open, c.graphs, c.users)
		}
	})
}
