package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Watched is a master and its replica, watched by three sentinels that put the replica in the place of a master that is
// gone for a second.
type Watched struct {
	URL             string // redis+sentinel://127.0.0.1:port,…/watched
	Master, Replica *Server
	Sentinels       []*Server
}

// StartSentinels returns a watched master for this test alone, ended with it.
func StartSentinels(t testing.TB) *Watched {
	t.Helper()
	w := &Watched{Master: StartOwn(t)}
	w.Replica = StartOwn(t, "--replicaof", "127.0.0.1 "+w.Master.port, "--repl-diskless-sync-delay", "0")
	awaitAnswer(t, w.Replica, "the replica follows", "master_link_status:up", "INFO", "replication")
	var addresses []string
	for range 3 {
		sentinel := startSentinel(t, w.Master.port)
		w.Sentinels = append(w.Sentinels, sentinel)
		addresses = append(addresses, sentinel.Addr)
	}
	for _, sentinel := range w.Sentinels {
		awaitAnswer(t, sentinel, "the sentinels know all", "name=watched,status=ok,address=127.0.0.1:"+w.Master.port+",slaves=1,sentinels=3", "INFO", "sentinel")
	}
	w.URL = "redis+sentinel://" + strings.Join(addresses, ",") + "/watched"
	return w
}

func startSentinel(t testing.TB, master string) *Server {
	t.Helper()
	binary := find(t)
	dir := t.TempDir()
	sentinel := &Server{dir: dir, sentinel: filepath.Join(dir, "sentinel.conf")} // which it writes to
	settings := fmt.Sprintf("sentinel monitor watched 127.0.0.1 %s 2\nsentinel down-after-milliseconds watched 1000\n"+
		"sentinel failover-timeout watched 5000\n", master)
	if err := os.WriteFile(sentinel.sentinel, []byte(settings), 0o600); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	sentinel.listen(t, binary, false)
	t.Cleanup(sentinel.Kill)
	return sentinel
}

// awaitAnswer waits until a server answers a command with a text that contains want.
func awaitAnswer(t testing.TB, server *Server, what, want string, command ...string) {
	t.Helper()
	client := server.Client(t)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) { // there is nothing to wait on
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		answer, err := client.Do(ctx, client.B().Arbitrary(command...).Build()).ToString()
		cancel()
		if err == nil && strings.Contains(answer, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("redistest: still not: %s: %s, %v", what, answer, err)
		}
	}
}
