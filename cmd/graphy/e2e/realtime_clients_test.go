package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// subscribeTo is the variable that makes the test binary a subscriber: the address of a WebSocket.
const subscribeTo = "E2E_SUBSCRIBE_TO"

// subscribe prints the version that it has come to, line by line, until it is killed.
func subscribe(address string) int {
	socket, err := dial(address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	f := &follower{replica: newReplica()}
	for message := range socket.frames {
		if err := f.take(message); err != nil {
			fmt.Fprintln(os.Stderr, "I4:", err)
			return 1
		}
		fmt.Println(f.version)
	}
	return 0
}

// Processes that subscribe are killed in the midst of it. Others do not mind, and the server forgets them.
func TestI4I10SubscribersKilled(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=")
	l := put(t, 1, s)
	a := l.attend(t, 2, s)
	a.awaitLive(t)
	sessions := s.metric(t, "graphy_websocket_sessions")
	for range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(cleanEnv(), subscribeTo+"="+s.wsURL(l.graphs[0], url.Values{"clientId": {"killed"}}))
		child.Stderr = os.Stderr
		child.SysProcAttr = childAttributes()
		output, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(output)
		for range 30 {
			if !lines.Scan() {
				t.Errorf("the subscriber ended by itself: %v", lines.Err())
				break
			}
		}
		_ = child.Process.Kill() // SIGKILL
		_ = child.Wait()
		await(t, 10*time.Second, "the server has forgotten it", func() bool { return s.metric(t, "graphy_websocket_sessions") <= sessions })
		l.awaitMore(t, 30)
	}
	l.verify(t, s)
	a.verify(t, s)
	for _, s := range a.subscribers {
		if s.joins.Load() > 1 {
			t.Errorf("subscriber %s was cut off: %d joins", s.client, s.joins.Load())
		}
	}
}

// Clients fall silent behind a connection that stays open: they are gone within 45 s.
func TestI10HalfOpenSockets(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=")
	between := startProxy(t, s.base[len("http://"):])
	a := gather(t, newGraph(t))
	const clients = 20
	for range clients {
		a.add(false, "http://"+between.addr)
	}
	healthy := s.open(t, a.graph)
	a.awaitLive(t)
	between.set(silent)
	begin := time.Now()
	await(t, 45*time.Second, "half-open sockets are gone", func() bool { return s.metric(t, "graphy_websocket_sessions") == 1 })
	t.Logf("gone after %v", time.Since(begin))
	s.accept(t, a.graph, "CREATE_NODE", object{"id": "n"})
	healthy.until(t, "state_update")
	a.stop()
	between.set(refusing)
}

// Three hundred clients are cut off at once, and come back over two processes, half of them by name, half with what they
// have, while others write.
func TestI4I10ReconnectStorm(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	servers := []*server{start(t, env...), start(t, env...)}
	var places []string
	var proxies []*proxy
	for _, s := range servers {
		between := startProxy(t, s.base[len("http://"):])
		proxies, places = append(proxies, between), append(places, "http://"+between.addr)
	}
	a := gather(t, newGraph(t))
	more := a.trickle(servers...)
	const clients = 300
	for i := range clients {
		turned := []string{places[i%2], places[(i+1)%2]}
		switch i % 6 {
		case 0:
			a.addStream(turned...)
		default:
			a.add(i%6 < 3, turned...)
		}
	}
	a.awaitLive(t)
	var goroutines, files [2]float64
	for i, s := range servers {
		goroutines[i], files[i] = s.metric(t, "go_goroutines"), s.metric(t, "process_open_fds")
	}
	for round := range int64(2) {
		more(t, 20)
		reads := servers[0].metric(t, "graphy_websocket_log_reads_total") + servers[1].metric(t, "graphy_websocket_log_reads_total")
		begin := time.Now()
		for _, between := range proxies {
			between.reset()
		}
		a.awaitEach(t, "every one came back", func(s *subscriber) bool { return s.live.Load() && s.joins.Load() >= round+2 })
		reads = servers[0].metric(t, "graphy_websocket_log_reads_total") + servers[1].metric(t, "graphy_websocket_log_reads_total") - reads
		t.Logf("all are back after %v, with %v reads of the log", time.Since(begin), reads)
	}
	more(t, 20)
	a.verify(t, servers[1])
	for i, s := range servers {
		await(t, 30*time.Second, "everything is back where it was (I10)", func() bool {
			s.http.CloseIdleConnections()
			return s.metric(t, "graphy_websocket_sessions") == 0 && s.metric(t, "graphy_http_streams") == 0 &&
				s.metric(t, "go_goroutines") < goroutines[i]/2 && s.metric(t, "process_open_fds") < files[i]/2
		})
		t.Logf("goroutines %v of %v, files %v of %v", s.metric(t, "go_goroutines"), goroutines[i], s.metric(t, "process_open_fds"), files[i])
	}
}

// A process is told to stop while hundreds listen and others write: all are warned, sent away over some time, and go on
// at the other process. Every command was answered, or certainly not accepted.
func TestI1I4DrainUnderAnAudience(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	stays, goes := start(t, env...), start(t, env...)
	l := put(t, 1, stays, goes)
	a := gather(t, l.graphs[0])
	const clients = 100
	for i := range clients {
		a.add(i%2 == 0, goes.base, stays.base)
	}
	for range 10 {
		a.addStream(goes.base, stays.base)
	}
	a.awaitLive(t)
	l.awaitMore(t, 50)
	begin := time.Now()
	if code := goes.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("drained in %v", time.Since(begin))
	a.awaitEach(t, "all listen to the other process", func(s *subscriber) bool { return s.live.Load() && s.joins.Load() > 1 })
	a.mu.Lock()
	if a.closes[1012] != clients || a.warned != clients {
		t.Errorf("%d were warned, and ended by %v; want all %d, by 1012", a.warned, a.closes, clients)
	}
	a.mu.Unlock()
	l.awaitMore(t, 50)
	l.verify(t, stays)
	a.verify(t, stays)
}

// trickle writes to the audience's graph, on one server after the other, until it is verified. The function it returns
// waits until so many more commands were accepted.
func (a *audience) trickle(servers ...*server) (more func(t testing.TB, count int64)) {
	var accepted atomic.Int64
	a.pens.Go(func() {
		for turn := 0; pause(a.writes, 20*time.Millisecond); turn++ {
			r, err := servers[turn%len(servers)].try(context.Background(), "POST", "/graphs/"+a.graph+"/command",
				encode(command("CREATE_NODE", object{"id": newID()})))
			if err == nil && r.status == http.StatusAccepted {
				accepted.Add(1)
			}
		}
	})
	return func(t testing.TB, count int64) {
		t.Helper()
		before := accepted.Load()
		await(t, 20*time.Second, "commands are accepted", func() bool { return accepted.Load() >= before+count })
	}
}
