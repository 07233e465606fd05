package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// lab is the processes that are measured, and what the rows share. It is used by one goroutine.
type lab struct {
	opts *options
	dir  string

	redis, graphy, reference *child
	perf                     *child // nil without -perf

	redisAddr, graphyAddr, adminAddr, referenceAddr string
	client                                          rueidis.Client // our own way into that Redis

	program  string          // of graphy, as built
	prepared bool            // the graphs of commands.go exist
	past     bool            // the log of past.go exists
	upkeep   bool            // the logs of rows_upkeep.go exist
	rebuilt  bool            // and have read models
	graphs   map[string]bool // that ensureGraph has made
	retired  time.Duration   // CPU time of processes that have ended
}

// openLab builds and starts everything. close ends it.
func openLab(ctx context.Context, opts *options) (*lab, error) {
	dir, err := os.MkdirTemp("", "graphy-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{opts: opts, dir: dir, graphs: map[string]bool{}}
	for _, start := range []func(context.Context) error{l.startRedis, l.startReference, l.startGraphy, l.startPerf} {
		if err := start(ctx); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *lab) startRedis(ctx context.Context) (err error) {
	if l.redisAddr, err = freeAddress(); err != nil {
		return err
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("redis-server is not installed; the benchmarks need version 7.0 or newer on PATH")
	}
	_, port, _ := net.SplitHostPort(l.redisAddr)
	// A rewrite of the append-only file would cost a row here and spare another: files go with the folder.
	l.redis, err = start(l.dir, "redis", nil, program, "--bind", "127.0.0.1", "--port", port, "--dir", l.dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction",
		"--auto-aof-rewrite-percentage", "0")
	if err != nil {
		return err
	}
	if err := l.redis.awaitPort(ctx, l.redisAddr); err != nil {
		return err
	}
	l.client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{l.redisAddr}, DisableCache: true})
	return err
}

func (l *lab) startReference(ctx context.Context) (err error) {
	if l.referenceAddr, err = freeAddress(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if l.reference, err = start(l.dir, "reference", nil, self, referenceCommand, l.referenceAddr, l.redisAddr); err != nil {
		return err
	}
	return l.reference.awaitPort(ctx, l.referenceAddr)
}

func (l *lab) startGraphy(ctx context.Context) (err error) {
	l.program = l.opts.graphy
	if l.program == "" {
		l.program = filepath.Join(l.dir, "graphy")
		build := exec.CommandContext(ctx, "go", "build", "-o", l.program, "graphy/cmd/graphy")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build graphy: %w\n%s", err, out)
		}
	}
	l.graphy, l.graphyAddr, l.adminAddr, err = l.serve(ctx, "graphy-serve")
	return err
}

// serve starts a process of graphy, and returns when it is ready: where it listens, for clients and for operators. The
// caller retires it.
func (l *lab) serve(ctx context.Context, name string) (process *child, addr, admin string, err error) {
	if addr, err = freeAddress(); err != nil {
		return nil, "", "", err
	}
	if admin, err = freeAddress(); err != nil {
		return nil, "", "", err
	}
	process, err = start(l.dir, name, []string{
		"GRAPHY_ADDR=" + addr, "GRAPHY_ADMIN_ADDR=" + admin, "GRAPHY_REDIS_URL=redis://" + l.redisAddr,
		"GRAPHY_ROLES=api,projector,realtime", "GRAPHY_KEY_PREFIX=", "GRAPHY_LOG_LEVEL=warn", "GRAPHY_RATE_LIMIT=0",
		"GRAPHY_MAX_CONNECTIONS=20000", "GRAPHY_MAX_CONNECTIONS_GRAPH=20000", "GRAPHY_MAX_CONNECTIONS_USER=20000",
		"GRAPHY_JWT_SECRET=", "GRAPHY_JWKS_URL=", "GRAPHY_CONFLICT_POLICY=", "GRAPHY_SNAPSHOT_EVENTS=" + strconv.Itoa(snapshotEvery)}, l.program, "serve")
	if err != nil {
		return nil, "", "", err
	}
	if err = process.awaitPort(ctx, addr); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		err = process.await(ctx, func() error {
			_, err := l.get(ctx, "http://"+admin+"/readyz")
			return err
		})
	}
	if err != nil {
		process.stop("KILL")
		return nil, "", "", err
	}
	return process, addr, admin, nil
}

// retire stops a process of serve, and remembers what CPU time it used.
func (l *lab) retire(process *child) {
	l.retired += cpuTime(process)
	process.stop("TERM")
}

// startPerf has perf record graphy until close.
func (l *lab) startPerf(context.Context) (err error) {
	if l.opts.perf == "" {
		return nil
	}
	program, err := exec.LookPath("perf")
	if err != nil {
		return errors.New("-perf: perf is not installed")
	}
	l.perf, err = start(l.dir, "perf", nil, program, "record", "-q", "-F", "997", "-g", "-o", l.opts.perf, "-p", strconv.Itoa(l.graphy.pid))
	return err
}

// close ends what was started, in reverse order, and removes the folder.
func (l *lab) close() {
	if l.client != nil {
		l.client.Close()
	}
	if l.perf != nil {
		l.perf.stop("INT")
	}
	if l.graphy != nil {
		l.graphy.stop("TERM")
	}
	if l.reference != nil {
		l.reference.stop("TERM")
	}
	if l.redis != nil {
		l.redis.stop("KILL") // nothing of it is to be kept
	}
	os.RemoveAll(l.dir)
}

// get returns the body of a 200.
func (l *lab) get(ctx context.Context, url string) ([]byte, error) {
	return l.call(ctx, http.MethodGet, url, nil)
}

// call sends one request of no hurry and returns the body of a good answer.
func (l *lab) call(ctx context.Context, method, url string, content io.Reader) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Encoding", "identity")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %.300s", method, url, response.Status, body)
	}
	return body, err
}
