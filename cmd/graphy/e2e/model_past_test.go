package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// past reads the past, and the conflicts, and holds them against the model.
func (j *judged) past(t *testing.T) []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	s, g, head := j.servers[len(j.servers)-1], "/graphs/"+j.graph, j.model.head()
	for version := 0; version <= head; version += max(1, head/5) {
		r := s.get(t, fmt.Sprintf("%s/state?at=%d", g, version))
		state := newReplica()
		if err := state.load(decode(r.body)); r.status != 200 || err != nil {
			fail("state?at=%d: %v: %v", version, err, r)
		} else if difference := j.model.worlds[version].differsFrom(state); difference != "" || state.version != uint64(version) {
			fail("state?at=%d: %s", version, difference)
		}
		for _, call := range []string{fmt.Sprintf("diff?from=%d&to=%d", version, head), fmt.Sprintf("changes?since=%d&squash=true", version)} {
			r := s.get(t, g+"/"+call)
			if err := j.net(r, version, call); err != nil {
				fail("%s: %v: %v", call, err, r)
			}
		}
	}
	var newest []string
	for _, event := range objects(s.get(t, g+"/history?limit=5").object(t).list("events")) {
		newest = append(newest, event.text("operationId"))
	}
	for i, operation := range newest {
		if operation != j.model.at(head-i).operation {
			fail("history: %d is %s, want %s", i, operation, j.model.at(head-i).operation)
		}
	}
	open := []string{}
	for _, conflict := range j.model.conflicts() {
		if conflict.open {
			open = append(open, conflict.id)
		}
	}
	listed := []string{}
	for _, record := range objects(s.get(t, g+"/conflicts?status=open").object(t).list("conflicts")) {
		listed = append(listed, record.text("conflictId"))
	}
	slices.Sort(open)
	slices.Sort(listed)
	if !slices.Equal(open, listed) {
		fail("open conflicts: the model has %v, the server %v", open, listed)
	}
	policy := map[string]string{}
	if err := json.Unmarshal(s.get(t, g+"/policy").body, &policy); err != nil || fmt.Sprint(policy) != fmt.Sprint(j.model.policy()) {
		fail("policy: the model has %v, the server %v %v", j.model.policy(), policy, err)
	}
	return errs
}

// net applies a net difference from a version to the state there, which must lead to the head.
func (j *judged) net(r reply, from int, call string) error {
	o := decode(r.body)
	changes := o.list("changes")
	if call[0] == 'c' && from < j.model.head() {
		if len(changes) != 1 {
			return fmt.Errorf("%d entries", len(changes))
		}
		changes = object(changes[0].(members)).list("changes")
	}
	state := newReplica()
	for key, entity := range j.model.worlds[from] {
		kind, id := kindAndID(key)
		state.store(kind, id, nil, copyMembers(entity))
	}
	seen := map[string]bool{}
	for _, one := range objects(changes) {
		key := one.text("kind") + "/" + one.text("id")
		if seen[key] {
			return fmt.Errorf("%s twice", key)
		}
		seen[key] = true
		value, _ := one["value"].(members)
		was, _ := one["was"].(members)
		set, _ := one["set"].(members)
		if err := state.change(one.text("op"), one.text("kind"), one.text("id"), value, was, set); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if difference := j.model.worlds[j.model.head()].differsFrom(state); difference != "" {
		return fmt.Errorf("it leads elsewhere: %s", difference)
	}
	return nil
}
