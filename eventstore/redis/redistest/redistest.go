// Package redistest starts real Redis servers for tests, as children of the test binary.
//
// A server listens on a loopback port of its own, keeps its files in a temporary folder and ends with the test
// binary, however that ends: a keeper process waits for the other end of a pipe to close. Start shares one server
// among all tests of a binary, which keep apart by a key prefix; StartOwn gives a private one that may be stopped,
// frozen, thawed, killed and started again. Both are safe for parallel tests; the methods of one Server are for one
// goroutine at a time. Without a redis-server on the path tests are skipped, unless the environment has CI.
package redistest

import (
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/redis/rueidis"
)

// Server is a running redis-server: append-only file every second, no eviction.
type Server struct {
	URL  string // redis://127.0.0.1:port
	Addr string // 127.0.0.1:port

	dir      string
	args     []string
	sentinel string // its configuration, if it is a sentinel
	process
}

var shared struct {
	sync.Mutex
	server *Server
}

// Start returns the server that all tests of this binary share. Keep to keys under Prefix, and leave its
// configuration as it is.
func Start(t testing.TB) *Server {
	t.Helper()
	binary := find(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		dir, err := os.MkdirTemp("", "redistest")
		if err != nil {
			t.Fatalf("redistest: %v", err)
		}
		server := &Server{dir: dir}
		server.listen(t, binary, true)
		shared.server = server
	}
	return shared.server
}

// StartOwn returns a server for this test alone, ended with it; args are added to its command line.
func StartOwn(t testing.TB, args ...string) *Server {
	t.Helper()
	server := &Server{dir: t.TempDir(), args: args}
	server.listen(t, find(t), false)
	t.Cleanup(server.Kill)
	return server
}

// Client returns a client that retries nothing, closed with the test.
func (s *Server) Client(t testing.TB) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(clientOption(s.Addr))
	if err != nil {
		t.Fatalf("redistest: connect to %s: %v", s.Addr, err)
	}
	t.Cleanup(client.Close)
	return client
}

func clientOption(addresses ...string) rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress:       addresses,
		ForceSingleClient: true,
		AlwaysPipelining:  true,
		DisableCache:      true,
		DisableRetry:      true,
		PipelineMultiplex: -1, // one connection, so that none is opened unexpectedly later
		Dialer:            net.Dialer{KeepAlive: time.Second},
		ConnWriteTimeout:  2 * time.Second,
	}
}

// Prefix returns a fresh key prefix.
func (s *Server) Prefix(testing.TB) string { return ulid.Make().String() + ":" }

// find returns the path of redis-server, or ends the test.
func find(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
		return binary
	case os.Getenv("CI") != "":
		t.Fatal("redistest: redis-server is not on the path; it must be, where CI is set")
	}
	t.Skip("redistest: skipped, redis-server is not on the path (Debian: apt-get install redis-server)")
	return ""
}
