package e2e

import (
	"fmt"
	"testing"

	"graphy/eventstore/redis/redistest"
)

// Three processes write the same graphs at once: no lost update, no hole (I2), and their subscribers see every version
// (I4; put's sockets fold all they are sent).
func TestI2ManyProcessesWriteOneGraph(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	servers := []*server{start(t, env...), start(t, env...), start(t, env...)}
	graph := newGraph(t)
	const writers, each = 9, 60
	base := servers[0].fill(t, graph, writers)
	last := base + writers*each
	l := put(t, 1, servers...)
	failOn(t, together(writers+2*len(servers), func(i int) error {
		s := servers[i%len(servers)]
		if i >= writers {
			socket, err := dial(s.wsURL(graph, nil))
			if err != nil {
				return err
			}
			defer socket.conn.Close()
			_, err = socket.follow(last)
			return err
		}
		for move := range each { // each adds to one node's title what no other may take away, and sends it twice
			body := command("UPDATE_NODE", object{"nodeId": fmt.Sprint("n", i), "updates": object{"data": object{fmt.Sprint("k", move): move}}},
				"operationId", newID())
			first := ""
			for turn := range 2 {
				r, err := servers[(i+turn)%len(servers)].tryCommand(t.Context(), graph, body, nil, 202)
				if err != nil {
					return err
				}
				// Within one millisecond two processes may decide the very same event; then neither calls it a duplicate.
				hash := decode(r.body).text("hash")
				if turn == 1 && hash != first {
					return fmt.Errorf("I1: sent twice: hash %s and %v", first, r)
				}
				first = hash
			}
		}
		return nil
	}))
	for _, s := range servers {
		folded := s.fold(t, graph)
		if folded.version != last {
			t.Errorf("version %d, want %d", folded.version, last)
		}
		for i := range writers {
			data, _ := folded.nodes[fmt.Sprint("n", i)]["data"].(map[string]any)
			if len(data) != each {
				t.Errorf("node %d has %d of %d updates", i, len(data), each)
			}
		}
	}
	l.awaitMore(t, 200)
	l.verify(t, servers[1])
}

// One of two processes is killed while both write; the other does not mind.
func TestI1OneOfTwoProcessesIsKilled(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	stays, dies := start(t, env...), start(t, env...)
	l := put(t, 2, stays, dies)
	for range 3 {
		l.awaitMore(t, 100)
		dies.kill()
		l.awaitMore(t, 50)
		dies.relaunch(t)
	}
	l.awaitMore(t, 50)
	l.verify(t, stays)
}

// One of two processes loses its Redis in every way while the other goes on writing the same graphs: what the first left
// in doubt is settled against what the other has written since.
func TestI1OneOfTwoProcessesIsCutOff(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	between := startProxy(t, backing.Addr)
	prefix := "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)
	stays := start(t, "GRAPHY_REDIS_URL="+backing.URL, prefix)
	cut := start(t, "GRAPHY_REDIS_URL="+between.url, prefix)
	l := put(t, 2, stays, cut)
	for _, mode := range []mode{deafening, refusing, silent, deafening} {
		l.awaitMore(t, 150)
		before := l.count("unavailable") + l.count("outcome-unknown")
		between.set(mode)
		await(t, 15e9, "one process in trouble", func() bool { return l.count("unavailable")+l.count("outcome-unknown") >= before+6 })
		between.reset()
		between.set(passing)
		cut.awaitReady(t)
	}
	l.awaitMore(t, 150)
	l.verify(t, cut)
}
