package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/cmd/graphy/seed"
	"graphy/eventstore"
	"graphy/transport"
)

// seeder sends the steps of a history, one after the other. It is not for concurrent use.
type seeder struct {
	clients func(user string) (*apiClient, error)
	retrier retrier
	tell    func(done, total int) // nil: nobody wants to know

	steps    []seed.Step
	known    map[string]*apiClient
	done     int      // steps
	versions []uint64 // that the steps led to
	opened   []string // the conflict that a step left open, ""
}

// seedAnswer is what of an answer later steps need.
type seedAnswer struct {
	Version  uint64 `json:"version"`
	Conflict struct {
		Paths []struct {
			ConflictID string `json:"conflictId"`
		} `json:"paths"`
	} `json:"conflict"`
}

// run makes the graph, or goes on where an earlier run of the same history was stopped. It returns once all can be read.
func (s *seeder) run(ctx context.Context, graph string, steps []seed.Step) (transport.Seeded, error) {
	s.known, s.steps = map[string]*apiClient{}, steps
	seeded := transport.Seeded{GraphID: graph, Events: len(steps)}
	owner, err := s.client(steps[0].User)
	if err != nil {
		return seeded, err
	}
	for i := range steps {
		if err := s.send(ctx, &steps[i]); err != nil {
			return seeded, fmt.Errorf("event %d, of %s: %w", i+1, steps[i].User, err)
		}
		if s.done++; s.tell != nil {
			s.tell(s.done, len(steps))
		}
	}
	stats, err := s.await(ctx, owner, s.versions[len(steps)-1])
	seeded.Version, seeded.Nodes, seeded.Edges = eventstore.Version(stats.Version), stats.Nodes, stats.Edges
	return seeded, err
}

// begun tells whether the graph has the beginning of this history already, and fails if it has another one.
func (s *seeder) begun(ctx context.Context, owner *apiClient) (bool, error) {
	var log struct {
		Changes []struct {
			OperationID string `json:"operationId"`
			CommandType string `json:"commandType"`
		} `json:"changes"`
	}
	if err := owner.get(ctx, "/changes?since=0&limit=2", &log); err != nil || len(log.Changes) == 0 {
		return false, err
	}
	// The first event is that of the policy, whose operation the server names.
	if log.Changes[0].CommandType == "SET_POLICY" && (len(log.Changes) == 1 || len(s.steps) == 1 || log.Changes[1].OperationID == s.steps[1].OperationID) {
		return true, nil
	}
	return false, &exitError{exitRefused, fmt.Errorf("%w: %s: choose another id, or delete it", errOtherHistory, owner.graph)}
}

// errOtherHistory is why a graph cannot be seeded.
var errOtherHistory = errors.New("there is such a graph already, with another history")

func (s *seeder) client(user string) (*apiClient, error) {
	if s.known[user] == nil {
		client, err := s.clients(user)
		if err != nil {
			return nil, err
		}
		s.known[user] = client
	}
	return s.known[user], nil
}

// send sends a step and keeps what later ones need of the answer. Sent again, it gets the first answer again.
func (s *seeder) send(ctx context.Context, step *seed.Step) error {
	client, err := s.client(step.User)
	if err != nil {
		return err
	}
	if step.Kind == seed.Policy {
		return s.setPolicy(ctx, client, step)
	}
	path, body, err := s.request(step)
	if err != nil {
		return err
	}
	var answer seedAnswer
	if err := s.retrier.do(ctx, func() error { return client.command(ctx, path, body, false, &answer) }); err != nil {
		return err
	}
	opened := ""
	for _, path := range answer.Conflict.Paths {
		if opened == "" {
			opened = path.ConflictID
		}
	}
	s.versions, s.opened = append(s.versions, answer.Version), append(s.opened, opened)
	return nil
}

// setPolicy sets the policy, which has no operation id: unless it is set already, by an earlier run, or by a call whose
// answer was lost.
func (s *seeder) setPolicy(ctx context.Context, client *apiClient, step *seed.Step) error {
	s.versions, s.opened = append(s.versions, 1), append(s.opened, "")
	return s.retrier.do(ctx, func() error {
		if begun, err := s.begun(ctx, client); begun || err != nil {
			return err
		}
		request, err := client.request(ctx, http.MethodPut, "/policy", bytes.NewReader(step.Payload))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		var answer jsontext.Value
		return client.do(request, &answer)
	})
}

var errNoConflict = errors.New("the conflict that it settles was not left open: somebody else works on this graph")

// request returns where a step is sent, and its body.
func (s *seeder) request(step *seed.Step) (path string, body []byte, err error) {
	members := map[string]any{"operationId": step.OperationID, "clientId": step.Client}
	if step.Base != seed.Now {
		members["clientVersion"] = s.versions[step.Base]
	}
	switch step.Kind {
	case seed.Command:
		path, members["type"], members["payload"] = "/command", step.Type, step.Payload
		if step.Gesture != "" {
			members["gestureId"] = step.Gesture
		}
	case seed.Restore:
		path, members["type"], members["payload"] = "/command", "RESTORE", map[string]uint64{"version": s.versions[step.Target]}
	case seed.Batch:
		path, members["atomic"], members["operations"] = "/batch", true, step.Payload
	case seed.Undo, seed.Redo:
		path = "/" + string(step.Kind)
	case seed.Resolve:
		if s.opened[step.Target] == "" {
			return "", nil, errNoConflict
		}
		path = "/conflicts/" + s.opened[step.Target] + "/resolve"
		if members["choice"] = step.Choice; step.Payload != nil {
			members["values"] = step.Payload
		}
	}
	body, err = json.Marshal(members, json.Deterministic(true))
	return path, body, err
}

// await waits until the graph can be read with all that was sent.
func (s *seeder) await(ctx context.Context, client *apiClient, version uint64) (stats graphStats, err error) {
	for waited, delay := time.Duration(0), 10*time.Millisecond; ; delay = min(2*delay, time.Second) {
		err := s.retrier.do(ctx, func() error { return client.get(ctx, "/stats", &stats) })
		if err != nil || stats.Version >= version {
			return stats, err
		}
		if waited += delay; waited > s.retrier.patience {
			return stats, fmt.Errorf("all is accepted, up to version %d, but what is read is at version %d still", version, stats.Version)
		}
		if err := s.retrier.wait(ctx, delay); err != nil {
			return stats, err
		}
	}
}
