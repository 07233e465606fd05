package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// answers holds what the players were told against the log and the model.
func (j *judged) answers() []error {
	var errs []error
	for _, a := range j.book {
		r := j.sent[a.operation]
		var err error
		switch {
		case a.dry && a.status == 200:
			err = j.dryRun(r, a)
		case a.status >= 400:
			j.refused++
			j.hit["refused "+a.code]++
			err = j.refusal(r, a)
		case r.kind != "SET_POLICY":
			err = j.accepted(r, a)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s base %d by %s %s: %w\ntold %v", r.kind, encode(r.wire()), r.base, r.user, r.client, err, a.body))
		}
	}
	return errs
}

// refusal tells whether the model refuses the request alike at a head that it may have been decided at.
func (j *judged) refusal(r request, a told) error {
	seen := map[string]bool{}
	for head := a.low; head <= min(a.high, j.model.head()); head++ {
		if j.refuses(r, a.code, head, seen) {
			return nil
		}
	}
	return fmt.Errorf("refused %s; from version %d to %d the model says %v", a.code, a.low, a.high, seen)
}

func (j *judged) refuses(r request, code string, head int, seen map[string]bool) bool {
	now := int64(0)
	if head > 0 {
		now = j.model.at(head).timestamp
	}
	for _, cautious := range []bool{false, true} {
		then := j.model.asOf(head)
		then.cautious = cautious
		_, predicted := then.decide(r, now)
		if seen[predicted] = true; predicted == code {
			return true
		}
	}
	return false
}

// dryRun tells whether a dry run said what would have come of it.
func (j *judged) dryRun(r request, a told) error {
	j.hit["dry run"]++
	head := int(a.body.version()) - 1
	if head < a.low || head > a.high || a.body.text("status") != "dry-run" || a.body["hash"] != nil {
		return fmt.Errorf("a dry run at version %d to %d", a.low, a.high)
	}
	d, code := j.model.asOf(head).decide(r, max(j.model.timestamp(head), r.timestamp))
	if code != "" {
		return fmt.Errorf("a dry run of what the model refuses: %s", code)
	}
	if d.results != nil && unstampedText(d.results) != unstampedText(a.body["result"]) {
		return fmt.Errorf("result: the model has %s, the server %s", canonical(d.results), canonical(a.body["result"]))
	}
	return nil
}

func (m *model) timestamp(head int) int64 {
	if head == 0 {
		return 0
	}
	return m.at(head).timestamp
}

// unstampedText is a result without its stamps, at any depth.
func unstampedText(value any) string {
	var strip func(value any) any
	strip = func(value any) any {
		switch value := value.(type) {
		case members:
			object := members{}
			for name, member := range value {
				if name != "createdAt" && name != "updatedAt" {
					object[name] = strip(member)
				}
			}
			return object
		case []any:
			list := make([]any, len(value))
			for i, item := range value {
				list[i] = strip(item)
			}
			return list
		}
		return value
	}
	return canonical(strip(value))
}

// accepted holds an answer against the event of its version, and what followed over the socket, too.
func (j *judged) accepted(r request, a told) error {
	version := int(a.body.version())
	if j.at[a.operation] != version || version == 0 {
		return fmt.Errorf("I1: told version %d, in the log it is at %d", version, j.at[a.operation])
	}
	d := j.model.at(version)
	if !a.again && version <= a.low {
		return fmt.Errorf("version %d was told of before this was sent: %d", version, a.low)
	}
	if d.results != nil && a.body["result"] != nil && canonical(d.results) != canonical(a.body["result"]) {
		return fmt.Errorf("result: the model has\n%s, the answer\n%s", canonical(d.results), canonical(a.body["result"]))
	}
	open := slices.ContainsFunc(d.paths, func(c clash) bool { return c.conflict != "" })
	if status := a.body.text("status"); status != "" && (status == "conflict") != open {
		return fmt.Errorf("status %q, left open: %v", status, open)
	}
	told := ""
	if conflict, ok := a.body["conflict"].(members); ok {
		told = object(conflict).text("resolution") + "\n" + pathsText(objects(object(conflict).list("paths")))
	}
	if told != d.conflictText() && a.body.text("status") != "" {
		return fmt.Errorf("conflict: the model has\n%s, the answer\n%s", d.conflictText(), told)
	}
	if fmt.Sprint(d.undoes) != numbers(a.body["undoes"]) || fmt.Sprint(d.redoes) != numbers(a.body["redoes"]) || d.skippedText() != d.withoutMoot(objects(a.body.list("skipped"))) {
		return fmt.Errorf("the model undoes %v, redoes %v, skips %s", d.undoes, d.redoes, d.skippedText())
	}
	return j.followUps(d, a)
}

func numbers(value any) string {
	list, _ := value.([]any)
	return strings.ReplaceAll(fmt.Sprint(list), ",", "")
}

func objects(list []any) []object {
	var all []object
	for _, item := range list {
		one, _ := item.(members)
		all = append(all, one)
	}
	return all
}

// followUps: a conflict is told of, and then what to fall back to, to the sender of a first command over a socket alone.
func (j *judged) followUps(d *deed, a told) error {
	var kinds []string
	for _, f := range a.follows {
		kinds = append(kinds, f.kind)
	}
	expected := []string{}
	lost := map[string]bool{}
	for _, c := range d.paths {
		if c.resolution == "server" || c.resolution == "manual" {
			lost[c.key] = true
		}
	}
	if a.body.text("type") == "command_result" && !a.again && len(d.paths) > 0 {
		expected = append(expected, "conflict")
		if len(lost) > 0 {
			expected = append(expected, "revert")
		}
	}
	if !slices.Equal(kinds, expected) && !(a.cut && len(kinds) < len(expected) && slices.Equal(kinds, expected[:len(kinds)])) {
		return fmt.Errorf("after the result came %v, want %v", kinds, expected)
	}
	for _, f := range a.follows {
		if f.kind == "conflict" {
			if text := f.text("resolution") + "\n" + pathsText(objects(f.list("paths"))); text != d.conflictText() || int(f.version()) != d.version {
				return fmt.Errorf("conflict: the model has\n%s, the message\n%s", d.conflictText(), f.raw)
			}
			continue
		}
		for _, entity := range objects(f.list("entities")) {
			key := entity.text("kind") + "/" + entity.text("id")
			server := plain(j.model.worlds[d.version][key])
			if key == viewportKey {
				server = j.model.worlds[d.version].viewport()
			}
			if !lost[key] || !same(entity["value"], server) {
				return fmt.Errorf("revert: the model has %s, the message %.2000s", canonical(server), f.raw)
			}
			delete(lost, key)
		}
		if len(lost) > 0 {
			return fmt.Errorf("revert leaves out %v: %.2000s", lost, f.raw)
		}
	}
	return nil
}
