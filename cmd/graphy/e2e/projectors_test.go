package e2e

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// crowd is one api and several projectors.
type crowd struct {
	api        *server
	projectors []*server
	graphs     []string
}

func startCrowd(t *testing.T, url, prefix string, projectors, graphs int) *crowd {
	env := []string{"GRAPHY_REDIS_URL=" + url, "GRAPHY_KEY_PREFIX=" + prefix}
	c := &crowd{api: start(t, append(env, "GRAPHY_ROLES=api")...)}
	for range projectors {
		c.projectors = append(c.projectors, start(t, append(env, "GRAPHY_ROLES=projector")...))
	}
	for range graphs {
		c.graphs = append(c.graphs, newGraph(t))
	}
	return c
}

// awaitMembers waits until each of these projectors knows that there are so many.
func (c *crowd) awaitMembers(t *testing.T, projectors ...*server) {
	t.Helper()
	for _, s := range projectors {
		await(t, 20*time.Second, fmt.Sprintf("%d projectors know each other", len(projectors)), func() bool {
			return s.metric(t, "graphy_projection_members") == float64(len(projectors))
		})
	}
}

// write writes to every graph, each time waiting for the read model, and returns the longest wait.
func (c *crowd) write(t *testing.T, rounds int) (longest time.Duration) {
	t.Helper()
	for range rounds {
		for _, graph := range c.graphs {
			begin := time.Now()
			r := c.api.call(t, "POST", "/graphs/"+graph+"/command?wait=completed", encode(command("UPDATE_VIEWPORT", object{"x": time.Now().UnixMicro()})))
			if r.status != http.StatusOK || r.object(t).text("status") != "completed" {
				t.Fatalf("wait=completed: %v", r)
			}
			longest = max(longest, time.Since(begin))
		}
	}
	return longest
}

// Three projectors share the graphs that a fourth process writes; then one is killed and one is frozen, and whoever waits
// for the read models of their graphs waits for a while, not for ever.
func TestI6ProjectorsShareGraphs(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	testSharing(t, backing.URL, backing.Prefix(t))
}

func TestI6ProjectorsShareGraphsOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	testSharing(t, cluster.URL, cluster.Prefix(t))
}

func testSharing(t *testing.T, url, prefix string) {
	c := startCrowd(t, url, prefix, 3, 48)
	c.awaitMembers(t, c.projectors...)
	longest := c.write(t, 5)
	written := float64(5 * len(c.graphs))
	await(t, 10*time.Second, "all are counted", func() bool { // soon after they are seen
		sum := 0.0
		for _, s := range c.projectors {
			sum += s.metric(t, "graphy_projection_events_total")
		}
		return sum >= written
	})
	total := 0.0
	for i, s := range c.projectors {
		folded, left, stale := s.metric(t, "graphy_projection_events_total"), s.metric(t, "graphy_projection_left_total"), s.metric(t, "graphy_projection_stale_total")
		t.Logf("projector %d: folded %v of %v events, left %v to others, lost %v races", i, folded, written, left, stale)
		if folded < written/16 || folded > written*3/4 || left < written/16 {
			t.Errorf("projector %d has folded %v of %v events and left %v to the others", i, folded, written, left)
		}
		total += folded
	}
	if total > written*1.1 {
		t.Errorf("%v events were folded, %v were written", total, written)
	}
	t.Logf("longest wait: %v", longest)

	c.projectors[0].kill()
	longest = c.write(t, 1)
	t.Logf("longest wait with one killed: %v", longest)
	c.awaitMembers(t, c.projectors[1:]...)
	if longest > 5*time.Second {
		t.Errorf("with one projector killed somebody waited %v", longest)
	}

	frozen := c.projectors[1]
	if err := frozen.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	longest = c.write(t, 1)
	t.Logf("longest wait with one frozen: %v", longest)
	c.awaitMembers(t, c.projectors[2])
	if longest > 5*time.Second {
		t.Errorf("with one projector frozen somebody waited %v", longest)
	}
	c.write(t, 2)
	if err := frozen.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.awaitMembers(t, c.projectors[1:]...)
	c.write(t, 2)
	if code := frozen.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	c.awaitMembers(t, c.projectors[2])
	for _, graph := range c.graphs {
		c.api.fold(t, graph)
	}
}
