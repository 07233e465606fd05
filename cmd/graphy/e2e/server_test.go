package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// server is a running server process.
type server struct {
	base, admin string // http://127.0.0.1:port
	env         []string
	always      []string // headers of every request
	http        *http.Client

	cmd    *exec.Cmd
	output *output
	ended  chan struct{} // closed when the process has ended
}

// output collects what a process says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced when there is more
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	close(o.more)
	o.more = make(chan struct{})
	return len(p), nil
}

func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.more
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}

var (
	servesLine = regexp.MustCompile(`(?m)^Graphy serves (http://\S+)$`)
	adminLine  = regexp.MustCompile(`(?m)^ *operators +(http://[^/\s]+)/metrics`)
)

// launch starts a server with env over the test's own environment, without rates unless env sets them, and waits until it
// says where it listens.
func launch(env ...string) (*server, error) {
	s := &server{env: env}
	s.http = &http.Client{
		Timeout:   40 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	return s, s.launch()
}

func (s *server) launch() error {
	s.output = &output{more: make(chan struct{})}
	s.cmd = exec.Command(binary)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.SysProcAttr = childAttributes()
	addr := "127.0.0.1:0"
	if s.base != "" {
		addr = strings.TrimPrefix(s.base, "http://") // started again: clients know the address
	}
	s.cmd.Env = append(cleanEnv(), append([]string{"GRAPHY_ADDR=" + addr, "GRAPHY_ADMIN_ADDR=127.0.0.1:0", "GRAPHY_RATE_LIMIT=0"}, s.env...)...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // its outcome is in ProcessState
		close(s.ended)
	}()
	return s.awaitAddress()
}

// cleanEnv is the test's environment without what configures a server.
func cleanEnv() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GRAPHY_") {
			env = append(env, pair)
		}
	}
	return env
}

func (s *server) awaitAddress() error {
	timeout := time.After(30 * time.Second)
	for {
		text, more := s.output.read()
		match := servesLine.FindStringSubmatch(text)
		admin := adminLine.FindStringSubmatch(text)
		if match != nil && admin != nil {
			if s.base == "" { // started again it is the same, and clients may be reading it
				s.base = match[1]
			}
			s.admin = admin[1]
			return nil
		}
		select {
		case <-more:
		case <-s.ended:
			return errors.New("the server ended: " + s.output.String())
		case <-timeout:
			return errors.New("the server does not say where it listens: " + s.output.String())
		}
	}
}

// start starts a server for this test and waits until it is ready.
func start(t testing.TB, env ...string) *server {
	t.Helper()
	s := startUnready(t, env...)
	s.awaitReady(t)
	return s
}

// startUnready starts a server that may not be able to work yet.
func startUnready(t testing.TB, env ...string) *server {
	t.Helper()
	s, err := launch(env...)
	t.Cleanup(func() {
		s.kill()
		s.http.CloseIdleConnections()
		s.judge(t)
	})
	if err != nil {
		t.Fatalf("start %v: %v", env, err)
	}
	return s
}

// judge fails the test if the process said something that no process should, and shows its end if the test failed.
func (s *server) judge(t testing.TB) {
	text := s.output.String()
	for _, trouble := range []string{"DATA RACE", "panic", "fatal error:"} {
		if at := strings.Index(text, trouble); at >= 0 {
			t.Errorf("the server said %q: %s", trouble, text[max(0, at-200):min(len(text), at+4000)])
		}
	}
	if t.Failed() {
		t.Logf("the end of the server's output:\n%s", text[max(0, len(text)-3000):])
	}
}

func (s *server) awaitReady(t testing.TB) {
	t.Helper()
	await(t, 20*time.Second, "ready", func() bool {
		r, err := s.try(context.Background(), "GET", "/readyz", "")
		return err == nil && r.status == http.StatusOK
	})
}

// kill ends the process at once, as kill -9 does.
func (s *server) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill() // it may have ended by itself
		<-s.ended
	}
}

// terminate sends SIGTERM and returns the exit code.
func (s *server) terminate(t testing.TB) int {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	return s.exitCode(t, 20*time.Second)
}

func (s *server) exitCode(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-s.ended:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		t.Fatalf("the server goes on after %v", limit)
		return -1
	}
}

// relaunch starts an ended server again at the same address.
func (s *server) relaunch(t testing.TB) {
	t.Helper()
	s.judge(t)
	s.http.CloseIdleConnections()
	if err := s.launch(); err != nil {
		t.Fatalf("start again: %v", err)
	}
	s.awaitReady(t)
}

// await polls what cannot be waited on.
func await(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// shared are the servers of tests that break nothing.
var shared sharedServers

type sharedServers struct {
	mu              sync.Mutex
	embedded, redis *server
	dir             string
	graphs          atomic.Int64
}

// onBoth runs a test against a shared server of each backend.
func onBoth(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, shared.onEmbedded(t))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(t, shared.onRedis(t))
	})
}

func (h *sharedServers) onEmbedded(t testing.TB) *server {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.embedded == nil {
		dir, err := os.MkdirTemp("", "graphy-e2e-data")
		if err != nil {
			t.Fatal(err)
		}
		h.dir = dir
		h.embedded = h.start(t, "GRAPHY_DATA_DIR="+filepath.Join(dir, "data"))
	}
	return h.embedded
}

func (h *sharedServers) onRedis(t testing.TB) *server {
	t.Helper()
	backing := redistest.Start(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.redis == nil {
		h.redis = h.start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX=shared:")
	}
	return h.redis
}

func (h *sharedServers) start(t testing.TB, env ...string) *server {
	t.Helper()
	s, err := launch(env...)
	if err != nil {
		t.Fatalf("start the shared server: %v", err)
	}
	s.awaitReady(t)
	return s
}

// end ends the shared servers, and says what should not have been said.
func (h *sharedServers) end() {
	for _, s := range []*server{h.embedded, h.redis} {
		if s == nil {
			continue
		}
		s.kill()
		if text := s.output.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic") {
			io.WriteString(os.Stderr, "a shared server said:\n"+text)
			defer os.Exit(1)
		}
	}
	os.RemoveAll(h.dir)
}
