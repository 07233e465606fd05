package command_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"graphy/command"
	"graphy/command/memory"
	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	modelsredis "graphy/projection/redis"
)

// redisSite is a site on a real Redis; each call is as a process of its own.
func redisSite(t *testing.T, server *redistest.Server, prefix string) *site {
	client := server.Client(t)
	store := logredis.New(client, client, logredis.Options{Prefix: prefix})
	return &site{log: store, models: modelsredis.New(client, store.Keys(), modelsredis.Options{}), recorder: &memory.Recorder{}}
}

func TestI1I2OnRedis(t *testing.T) {
	server := redistest.Start(t)
	prefix := server.Prefix(t)
	sites := []*site{redisSite(t, server, prefix), redisSite(t, server, prefix)}
	projectiontest.Project(t, sites[0].log, sites[0].models, projection.ProjectorOptions{})
	processors := []*command.Processor{sites[0].start(t, command.Options{}), sites[1].start(t, command.Options{RecentEvents: 10})}
	const count = 200
	outcomes := make([][count]command.Outcome, 2)
	var all sync.WaitGroup
	for i, p := range processors { // both send the same operations
		for j := range count {
			all.Add(1)
			p.Submit(t.Context(), "g", parse(t, create(fmt.Sprint("n", j))), func(outcome command.Outcome, err error) {
				defer all.Done()
				if err != nil {
					t.Errorf("operation %d on process %d: %v", j, i, err)
				}
				outcomes[i][j] = outcome
			})
		}
	}
	all.Wait()
	for j := range count {
		if outcomes[0][j].Version != outcomes[1][j].Version || string(outcomes[0][j].Result) != string(outcomes[1][j].Result) {
			t.Errorf("operation %d: answers %+v and %+v", j, outcomes[0][j], outcomes[1][j])
		}
	}
	if graph := sites[1].fold(t); graph.Position.Version != count || graph.Len(projection.Node) != count {
		t.Errorf("got version %d with %d nodes", graph.Position.Version, graph.Len(projection.Node))
	}
	restarted := redisSite(t, server, prefix).start(t, command.Options{})
	outcome, err := do(t, restarted, create("n7"))
	wantAgain(t, "restarted", outcome, err, outcomes[0][7])
	if _, err := do(t, restarted, title("n9", "create-n7", "x")); codeOf(err) != command.OperationIDReused {
		t.Errorf("reused: got %v", err)
	}
	if err := restarted.Delete(t.Context(), "g"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if outcome := mustDo(t, processors[0], create("n7")); outcome.Version != 1 || outcome.Duplicate {
		t.Errorf("anew: got %+v", outcome)
	}
}

func TestRedisThatGoesAway(t *testing.T) {
	server := redistest.StartOwn(t)
	s := redisSite(t, server, "p:")
	p := s.start(t, command.Options{Timeout: time.Second})
	mustDo(t, p, create("n0"))

	server.Freeze()
	begun := time.Now()
	var answers sync.WaitGroup
	unknown := make([]bool, 20)
	for i := range unknown {
		answers.Add(1)
		p.Submit(t.Context(), "g", parse(t, create(fmt.Sprint("f", i))), func(_ command.Outcome, err error) {
			defer answers.Done()
			code := codeOf(err)
			unknown[i] = code == command.OutcomeUnknown
			if !unknown[i] && code != command.Unavailable {
				t.Errorf("frozen: command %d: got %v", i, err)
			}
		})
	}
	answers.Wait()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("answered after %v", took)
	}
	server.Thaw()
	retry := func(body string) command.Outcome {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			outcome, err := do(t, p, body)
			if err == nil {
				return outcome
			}
			if code := codeOf(err); code != command.Unavailable && code != command.OutcomeUnknown || time.Now().After(deadline) {
				t.Fatalf("%s: %v", body, err)
			}
		}
	}
	for i := range unknown {
		if outcome := retry(create(fmt.Sprint("f", i))); outcome.Duplicate && !unknown[i] {
			t.Errorf("command %d was refused for certain, and is there: %+v", i, outcome)
		}
	}
	server.Stop()
	_, err := do(t, p, create("n1"))
	if code := codeOf(err); code != command.Unavailable && code != command.OutcomeUnknown {
		t.Errorf("stopped: got %v", err)
	}
	server.Restart(t)
	retry(create("n1"))
	if graph := s.fold(t); graph.Position.Version != eventstore.Version(len(unknown)+2) || graph.Len(projection.Node) != len(unknown)+2 {
		t.Errorf("got version %d with %d nodes", graph.Position.Version, graph.Len(projection.Node))
	}
}
