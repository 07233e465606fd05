package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/eventstore/redis/redistest"
)

// A client that never reads is beside healthy ones: these get everything in time, and the server's memory is bounded.
func TestI11ClientThatNeverReads(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		base := s.fillSettled(t, graph, 20)
		var deaf []*websocket.Conn
		for range 3 {
			conn, _, err := websocket.DefaultDialer.Dial(s.wsURL(graph, url.Values{}), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			deaf = append(deaf, conn)
		}
		healthy := s.open(t, graph)
		f := &follower{replica: newReplica()}
		failOn(t, []error{f.take(healthy.expect(t, "sync"))})
		memory := s.metric(t, "go_memstats_heap_inuse_bytes")
		const updates, size = 50, 150 << 10 // with the old values 15 MB, more than the kernel's buffers take
		var accepts, delays []time.Duration
		for i := range updates {
			begin := time.Now()
			version := s.accept(t, graph, "UPDATE_NODE", object{"nodeId": fmt.Sprint("n", i%20),
				"updates": object{"data": strings.Repeat("x", size-i)}}).version()
			accepts = append(accepts, time.Since(begin))
			for f.version < version {
				failOn(t, []error{f.take(healthy.next(t))})
			}
			delays = append(delays, time.Since(begin))
		}
		t.Logf("sessions found too slow: %v", s.metric(t, "graphy_websocket_lagging_total"))
		slices.Sort(accepts)
		slices.Sort(delays)
		t.Logf("a command p50 %v, p99 %v; until seen p50 %v, p99 %v", accepts[updates/2], accepts[updates*99/100],
			delays[updates/2], delays[updates*99/100])
		if f.version != base+updates {
			t.Errorf("the healthy one stands at version %d, want %d", f.version, base+updates)
		}
		if p90 := delays[updates*9/10]; p90 > 2*time.Second {
			t.Errorf("from a command to the healthy subscriber p90 is %v", p90)
		}
		if grown := s.metric(t, "go_memstats_heap_inuse_bytes") - memory; grown > 200<<20 {
			t.Errorf("the heap grew by %d MB", int(grown)>>20)
		}
		// One that reads at last was not sent a gap: it is caught up, or closed.
		late := &socket{conn: deaf[0], frames: make(chan frame, 1<<14)}
		go late.read()
		behind := &follower{replica: newReplica()}
		for behind.version < base+updates {
			message, err := late.wait(20e9)
			if err != nil && !errors.Is(err, errSilent) {
				t.Logf("the one that did not read: %v", err)
				break
			}
			if err == nil {
				err = behind.take(message)
			}
			if err != nil {
				t.Errorf("the one that did not read: %v", err)
				break
			}
		}
	})
}

// After 200 clients have come and gone everything is back where it was (I10).
func TestI10NothingIsLeftOfClientsThatLeft(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		comeAndGo(t, start(t, "GRAPHY_DATA_DIR="), func() int { return 0 })
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		backing := redistest.StartOwn(t)
		client := backing.Client(t)
		comeAndGo(t, start(t, "GRAPHY_REDIS_URL="+backing.URL), func() int {
			list, err := client.Do(context.Background(), client.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
			if err != nil {
				t.Fatal(err)
			}
			return strings.Count(list, "\n")
		})
	})
}

func comeAndGo(t *testing.T, s *server, connections func() int) {
	measure := func() (goroutines, files float64, redis int) {
		s.http.CloseIdleConnections()
		return s.metric(t, "go_goroutines"), s.metric(t, "process_open_fds"), connections()
	}
	visit := func(count int) { // some say good-bye, some vanish
		failOn(t, together(count, func(i int) error {
			graph := fmt.Sprint("visited-", i%20)
			conn, _, err := websocket.DefaultDialer.Dial(s.wsURL(graph, url.Values{}), nil)
			if err != nil {
				return err
			}
			defer conn.Close()
			body := encode(wsCommand("UPDATE_VIEWPORT", object{"x": i}))
			if err := conn.WriteMessage(websocket.TextMessage, []byte(body)); err != nil {
				return err
			}
			for range 2 { // the sync and one more
				if _, _, err := conn.ReadMessage(); err != nil {
					return err
				}
			}
			if i%3 == 0 {
				return conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
			}
			if i%3 == 1 {
				_ = conn.NetConn().(*net.TCPConn).SetLinger(0) // a reset
			}
			_, err = s.try(t.Context(), "GET", "/graphs/"+graph+"/state", "")
			return err
		}))
	}
	visit(20) // what is made once and kept
	settled := func() (goroutines, files float64, redis int) {
		await(t, 30*time.Second, "no sockets and hubs", func() bool {
			goroutines, files, redis = measure()
			again, _, _ := measure()
			return s.metric(t, "graphy_websocket_sessions") == 0 && s.metric(t, "graphy_websocket_hubs") == 0 && again == goroutines
		})
		return goroutines, files, redis
	}
	goroutines, files, redis := settled()
	visit(200)
	var now [2]float64
	var clients int
	deadline := time.Now().Add(30 * time.Second)
	for {
		now[0], now[1], clients = measure()
		if now[0] <= goroutines+2 && now[1] <= files+2 && clients <= redis {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("I10: goroutines %v, before %v; files %v, before %v; Redis connections %d, before %d",
				now[0], goroutines, now[1], files, clients, redis)
		}
		pause(t.Context(), 50*time.Millisecond)
	}
	t.Logf("goroutines %v, before %v; files %v, before %v; Redis connections %d, before %d", now[0], goroutines, now[1], files, clients, redis)
}
