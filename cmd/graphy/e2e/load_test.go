package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"
)

// callLimit is what a call may take when Redis is away, with room for a busy machine.
const callLimit = 3*time.Second + 1500*time.Millisecond

// load is commands from many clients, HTTP and WebSocket, and the book of what they were told.
type load struct {
	graphs []string
	stop   context.CancelFunc
	group  sync.WaitGroup

	mu       sync.Mutex
	acked    map[string]map[string]uint64 // graph → operation id → version
	refused  map[string]map[string]bool   // graph → operation ids that certainly were not accepted
	answers  map[string]int               // how often each status or code was answered
	offences []string                     // answers and times that are against the contract
}

// put starts clients of servers: on each graph one HTTP and one WebSocket client for each server, and one more HTTP one.
func put(t testing.TB, graphs int, servers ...*server) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop, acked: map[string]map[string]uint64{}, refused: map[string]map[string]bool{}, answers: map[string]int{}}
	t.Cleanup(l.end)
	for range graphs {
		graph := newGraph(t)
		l.graphs = append(l.graphs, graph)
		l.acked[graph], l.refused[graph] = map[string]uint64{}, map[string]bool{}
		for i := range len(servers) + 1 {
			l.group.Go(func() { l.overHTTP(ctx, servers[i%len(servers)], graph) })
		}
		for _, s := range servers {
			l.group.Go(func() { l.overSocket(ctx, s, graph) })
		}
	}
	return l
}

// end stops the clients and waits for them.
func (l *load) end() {
	l.stop()
	l.group.Wait()
}

func (l *load) offence(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offences = append(l.offences, fmt.Sprintf(format, args...))
}

// answered notes an answer to an operation, and tells whether it is settled; if not it is to be sent again.
func (l *load) answered(graph, id, status string, version uint64, first bool) (settled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[status]++
	switch status {
	case "accepted":
		l.acked[graph][id] = version
		return true
	case "unavailable":
		if first {
			l.refused[graph][id] = true
		}
		return first
	}
	return false
}

func (l *load) count(status string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[status]
}

// awaitMore waits until count more commands were accepted.
func (l *load) awaitMore(t testing.TB, count int) {
	t.Helper()
	before := l.count("accepted")
	await(t, 30*time.Second, "commands are accepted", func() bool { return l.count("accepted") >= before+count })
}

// pause waits a little, as users do, and tells whether to go on.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

func (l *load) overHTTP(ctx context.Context, s *server, graph string) {
	for ctx.Err() == nil {
		id := newID()
		for first := true; ; first = false {
			begin := time.Now()
			r, err := s.try(context.Background(), "POST", "/graphs/"+graph+"/command",
				encode(command("CREATE_NODE", object{"id": id}, "operationId", id)))
			if took := time.Since(begin); took > callLimit {
				l.offence("a command took %v: %v %v", took, r, err)
			}
			status, version := l.read(r, err)
			if l.answered(graph, id, status, version, first) || !pause(ctx, 20*time.Millisecond) {
				break
			}
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// read returns what an answer means, and notes what the contract does not allow.
func (l *load) read(r reply, err error) (status string, version uint64) {
	if err != nil {
		return "no answer", 0
	}
	o := decode(r.body)
	switch code := o.text("code"); {
	case r.status == http.StatusAccepted:
		return "accepted", o.version()
	case r.status == 503 && code == "unavailable":
		if r.header.Get("Retry-After") == "" {
			l.offence("503 without Retry-After: %v", r)
		}
		return code, 0
	case r.status == 504 && code == "outcome-unknown":
		return code, 0
	default:
		l.offence("answered %v", r)
		return "other", 0
	}
}

// overSocket sends commands, a few at a time, comes back with the version it has when it is cut off, and folds all it
// is sent.
func (l *load) overSocket(ctx context.Context, s *server, graph string) {
	f := &follower{replica: newReplica()}
	waiting := map[string]bool{} // operation id → sent before
	for ctx.Err() == nil {
		socket, err := dial(s.wsURL(graph, url.Values{"clientVersion": {fmt.Sprint(f.version)}, "hash": {f.hash}}))
		if err != nil {
			pause(ctx, 20*time.Millisecond)
			continue
		}
		f.synced = false
		if err := l.converse(ctx, socket, f, graph, waiting); err != nil {
			l.offence("socket of %s: %v", graph, err)
			socket.conn.Close()
			return
		}
		socket.conn.Close()
		for id := range waiting {
			waiting[id] = true
		}
	}
}

// converse sends and reads until the connection or the test ends. Its error is a breach of the contract.
func (l *load) converse(ctx context.Context, socket *socket, f *follower, graph string, waiting map[string]bool) error {
	for ctx.Err() == nil {
		for len(waiting) < 4 {
			waiting[newID()] = false
		}
		for id := range waiting {
			body := encode(wsCommand("CREATE_NODE", object{"id": id}, "operationId", id))
			if socket.conn.WriteMessage(1, []byte(body)) != nil {
				return nil
			}
		}
		begin := time.Now()
		for open := maps.Clone(waiting); len(open) > 0; {
			message, err := socket.wait(callLimit + time.Second)
			if errors.Is(err, errSilent) {
				return fmt.Errorf("no answer to %d commands: %w", len(open), err)
			}
			if err != nil {
				return nil // cut off
			}
			if err := f.take(message); err != nil {
				return fmt.Errorf("I4: %w", err)
			}
			id, status := message.text("operationId"), "accepted"
			sent, ours := waiting[id]
			switch {
			case message.kind == "revert":
				status = message.text("error", "code")
			case message.kind != "command_result":
				continue
			}
			if !ours {
				return fmt.Errorf("an answer to nothing: %.200s", message.raw)
			}
			if took := time.Since(begin); took > callLimit {
				l.offence("a command over WebSocket took %v: %.200s", took, message.raw)
			}
			delete(open, id)
			if waiting[id] = true; l.answered(graph, id, status, message.version(), !sent) {
				delete(waiting, id)
			}
		}
		pause(ctx, 15*time.Millisecond)
	}
	return nil
}

// verify stops the load and holds what its clients were told against the logs and read models: I1, I2, I3.
func (l *load) verify(t testing.TB, s *server) {
	t.Helper()
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, offence := range l.offences {
		if i == 5 {
			t.Errorf("… and %d more", len(l.offences)-i)
			break
		}
		t.Error(offence)
	}
	t.Logf("answers: %v", l.answers)
	for _, graph := range l.graphs {
		folded := s.fold(t, graph)
		for id, version := range l.acked[graph] {
			if at := folded.operations[id]; at != version {
				t.Errorf("I1: operation %s was acknowledged at version %d of %s, in the log it is at %d (of %d)", id, version, graph, at, folded.version)
			}
			if folded.nodes[id] == nil {
				t.Errorf("I1: node %s, acknowledged at version %d of %s, is not there", id, version, graph)
			}
		}
		for id := range l.refused[graph] {
			if at := folded.operations[id]; at > 0 {
				t.Errorf("I1: operation %s got 503, and is at version %d of %s", id, at, graph)
			}
		}
	}
}
