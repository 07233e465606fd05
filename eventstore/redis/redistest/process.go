package redistest

import (
	"bufio"
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
	"testing"
	"time"
)

// keeper runs the command in its arguments ($2 and on) as its child, tells its process id, and waits for the name of
// a signal or for the end of its input, which comes when the test binary is gone. Then it ends the child, and removes
// the folder $1, if any.
const keeper = `dir=$1; shift
"$@" >/dev/null 2>&1 &
child=$!
echo $child
read -r signal
kill -"${signal:-KILL}" $child 2>/dev/null
wait $child
[ -z "$dir" ] || rm -rf "$dir"`

// process is the child and its keeper. The zero value is a process that does not run.
type process struct {
	binary string
	port   string
	bus    string // the port on which it talks to other nodes, in a cluster
	keeper *exec.Cmd
	orders io.WriteCloser // to the keeper
	pid    int
}

// listen starts the server on a free port. Another process may take the port in between, so it tries a few.
func (s *Server) listen(t testing.TB, binary string, removeDir bool) {
	t.Helper()
	var err error
	for range 5 {
		var ports []string
		if ports, err = freePorts(2); err != nil {
			break
		}
		s.port, s.bus = ports[0], ports[1]
		s.Addr = net.JoinHostPort("127.0.0.1", s.port)
		s.URL = "redis://" + s.Addr
		s.binary = binary
		if err = s.start(removeDir); err == nil {
			return
		}
	}
	t.Fatalf("redistest: start redis-server: %v", err)
}

// freePorts returns ports that nobody listens on at the moment.
func freePorts(count int) (ports []string, err error) {
	for range count {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer free.Close()
		_, port, _ := net.SplitHostPort(free.Addr().String())
		ports = append(ports, port)
	}
	return ports, nil
}

func (s *Server) start(removeDir bool) error {
	remove := ""
	if removeDir {
		remove = s.dir
	}
	s.keeper = exec.Command("sh", slices.Concat([]string{"-c", keeper, "keeper", remove, s.binary}, s.commandLine())...)
	orders, err := s.keeper.StdinPipe()
	if err != nil {
		return err
	}
	s.orders = orders
	output, err := s.keeper.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err == nil {
		s.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err == nil {
		err = s.await()
	}
	if err != nil {
		s.Kill()
	}
	return err
}

// commandLine is what the server is started with.
func (s *Server) commandLine() []string {
	common := []string{"--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log")}
	if s.sentinel != "" {
		return append([]string{s.sentinel, "--sentinel"}, common...)
	}
	return slices.Concat(common, []string{"--cluster-port", s.bus, "--appendonly", "yes", "--appendfsync", "everysec",
		"--save", "", "--maxmemory-policy", "noeviction"}, s.args)
}

// await waits until the server answers, and makes sure that it is ours.
func (s *Server) await() error {
	for deadline := time.Now().Add(20 * time.Second); ; {
		answer, err := s.ask("INFO server")
		if err == nil && strings.Contains(answer, fmt.Sprintf("process_id:%d\r\n", s.pid)) {
			return nil
		}
		if err == nil && strings.Contains(answer, "process_id:") {
			return errors.New("port taken by another server")
		}
		if time.Now().After(deadline) || syscall.Kill(s.pid, 0) != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("no answer on %s (%q, %v); its log: %s", s.Addr, answer, err, log)
		}
		time.Sleep(5 * time.Millisecond) // there is nothing to wait on but the port
	}
}

// ask sends one inline command and returns the beginning of the answer.
func (s *Server) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	buffer := make([]byte, 2048)
	n, err := io.ReadAtLeast(conn, buffer, 400)
	if n > 0 {
		err = nil
	}
	return string(buffer[:n]), err
}

// Stop shuts the server down in order; its data stays.
func (s *Server) Stop() { s.end("TERM") }

// Kill ends the server as kill -9 does, frozen or not; what it had written stays. With an fsync every second Redis
// holds writes back while one is under way, so the last answers may be lost: where none may be, start the server
// with --appendfsync always.
func (s *Server) Kill() { s.end("KILL") }

func (s *Server) end(signal string) {
	if s.keeper == nil {
		return
	}
	io.WriteString(s.orders, signal+"\n")
	s.orders.Close()
	s.keeper.Wait()
	s.keeper = nil
}

// Restart starts the server again on the same port with the same data, after Stop or Kill, or ends it first.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	if err := s.start(false); err != nil {
		t.Fatalf("redistest: restart: %v", err)
	}
}

// Freeze suspends the server: connections stay open and nothing answers.
func (s *Server) Freeze() { syscall.Kill(s.pid, syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { syscall.Kill(s.pid, syscall.SIGCONT) }
