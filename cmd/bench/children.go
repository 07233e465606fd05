package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// keeper runs the command in its arguments ($2 and on) as its child with its output in the file $1, tells its process
// id, and waits for the name of a signal or for the end of its input, which comes when this program is gone, however it
// ended. Then it ends the child.
const keeper = `out=$1; shift
"$@" >"$out" 2>&1 </dev/null &
child=$!
echo $child
read -r signal
kill -"${signal:-KILL}" $child 2>/dev/null
wait $child`

// stopLimit is how long a child has to end when asked to.
const stopLimit = 12 * time.Second

// child is a process that we started. Only start makes one.
type child struct {
	name   string
	pid    int
	output string // file with what it printed
	keeper *exec.Cmd
	orders io.WriteCloser
}

// start runs a program with more environment. Its group is its own: an interrupt from the terminal is for us to act on.
func start(dir, name string, env []string, program string, args ...string) (*child, error) {
	c := &child{name: name, output: filepath.Join(dir, name+".log")}
	c.keeper = exec.Command("sh", slices.Concat([]string{"-c", keeper, "keeper", c.output, program}, args)...)
	c.keeper.Env = append(os.Environ(), env...)
	c.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	orders, err := c.keeper.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.orders = orders
	told, err := c.keeper.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.keeper.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	text, err := bufio.NewReader(told).ReadString('\n')
	if err == nil {
		c.pid, err = strconv.Atoi(strings.TrimSpace(text))
	}
	if err != nil {
		c.stop("KILL")
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// stop ends the child by a signal, or by KILL if it does not end in time.
func (c *child) stop(signal string) {
	_, _ = io.WriteString(c.orders, signal+"\n")
	c.orders.Close()
	late := time.AfterFunc(stopLimit, func() { _ = syscall.Kill(c.pid, syscall.SIGKILL) })
	defer late.Stop()
	_ = c.keeper.Wait() // its status is the child's, which we have ended ourselves
}

// awaitPort waits until the child listens on addr.
func (c *child) awaitPort(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return c.await(ctx, func() error {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// await tries until it works, the child is gone or ctx is done.
func (c *child) await(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		gone := syscall.Kill(c.pid, 0) != nil
		if gone || !pause(ctx, 10*time.Millisecond) {
			said, _ := os.ReadFile(c.output)
			return fmt.Errorf("%s does not serve: %w; it said: %s", c.name, errors.Join(err, ctx.Err()), said)
		}
	}
}

// pause waits, and reports false if ctx was done before.
func pause(ctx context.Context, span time.Duration) bool {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
