package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// judged is a game's log held against the model, event by event.
type judged struct {
	*game
	model   *model
	fold    *replica
	at      map[string]int // operation id → version
	hit     map[string]int // what came about how often
	refused int
}

// loggedEvent is an event as the log has it, as far as the model predicts it.
type loggedEvent struct {
	Version                                    int
	CommandType, OperationID, UserID, ClientID string
	Timestamp, WrittenAt                       int64
	GestureID                                  string
	Conflict                                   *struct {
		Resolution string
		Paths      []object
	}
	Undoes, Redoes []int
	Skipped        []object
	Restored       int
	Policy         members
	Resolves       object
	Reopens        string
	Changes        []object
}

// judge replays a log through the model. It ends at the first event that is not as predicted: what comes after would
// differ for that reason alone.
func (g *game) judge(log []json.RawMessage) (*judged, error) {
	j := &judged{game: g, model: newModel(), fold: newReplica(), at: map[string]int{}, hit: map[string]int{}}
	for _, raw := range log {
		var event loggedEvent
		if err := json.Unmarshal(raw, &event); err != nil {
			return j, err
		}
		r, known := g.sent[event.OperationID]
		if event.CommandType == "SET_POLICY" {
			r, known = request{kind: "SET_POLICY", payload: event.Policy, operation: event.OperationID, user: event.UserID, client: event.ClientID, base: -1}, true
		}
		if !known {
			return j, fmt.Errorf("version %d is of an operation that nobody sent: %s", event.Version, raw)
		}
		if err := j.fold.apply(raw); err != nil {
			return j, err
		}
		if err := j.event(r, &event); err != nil {
			return j, fmt.Errorf("version %d: %w\nsent %s base %d by %s %s\n%s", event.Version, err, encode(r.wire()), r.base, r.user, r.client, raw)
		}
		j.at[event.OperationID] = event.Version
	}
	return j, nil
}

// event holds one event against what the model makes of its request, in either way where that is open.
func (j *judged) event(r request, event *loggedEvent) error {
	j.model.cautious, j.model.doubted = false, false
	d, err := j.predicted(r, event)
	if err != nil && j.model.doubted {
		j.model.cautious = true
		d, err = j.predicted(r, event)
	}
	if err != nil {
		return err
	}
	d.partial = len(event.Skipped) > 0 // moot ones count, if they are there
	j.model.commit(d)
	if difference := j.model.worlds[d.version].differsFrom(j.fold); difference != "" {
		return fmt.Errorf("%s", difference)
	}
	j.count(d)
	return nil
}

// predicted returns what the model makes of a request, if it is the event.
func (j *judged) predicted(r request, event *loggedEvent) (*deed, error) {
	d, code := j.model.decide(r, event.Timestamp)
	if code != "" {
		return nil, fmt.Errorf("the model refuses it: %s", code)
	}
	writtenAt := event.WrittenAt
	if writtenAt == 0 {
		writtenAt = event.Timestamp
	}
	for _, one := range []struct {
		what       string
		model, log any
	}{
		{"version", d.version, event.Version}, {"commandType", d.kind, event.CommandType}, {"userId", d.user, event.UserID},
		{"clientId", d.client, event.ClientID}, {"gestureId", d.gesture, event.GestureID}, {"writtenAt", d.writtenAt, writtenAt},
		{"conflict", d.conflictText(), event.conflictText()}, {"undoes", fmt.Sprint(d.undoes), fmt.Sprint(event.Undoes)},
		{"redoes", fmt.Sprint(d.redoes), fmt.Sprint(event.Redoes)}, {"skipped", d.skippedText(), d.withoutMoot(event.Skipped)},
		{"restored", d.restored, event.Restored}, {"resolves", d.resolves, event.Resolves.text("conflictId")},
		{"choice", d.choice, event.Resolves.text("choice")}, {"reopens", d.reopens, event.Reopens},
		{"that it changes nothing", len(d.writes) == 0, len(event.Changes) == 0},
	} {
		if one.model != one.log {
			return nil, fmt.Errorf("%s: the model has\n%v, the log\n%v", one.what, one.model, one.log)
		}
	}
	return d, d.sameChanges(event.Changes)
}

// sameChanges tells whether the changes are of the entities that the model wrote, and of no others.
func (d *deed) sameChanges(changes []object) error {
	logged, expected := map[string]bool{}, map[string]bool{}
	for _, change := range changes {
		logged[change.text("kind")+"/"+change.text("id")] = true
	}
	for _, w := range d.writes {
		expected[w.key] = true
	}
	if fmt.Sprint(logged) != fmt.Sprint(expected) {
		return fmt.Errorf("the model changes %v, the log %v", expected, logged)
	}
	return nil
}

// count notes what came about, so that a run can tell what it showed.
func (j *judged) count(d *deed) {
	j.hit[d.kind]++
	for _, c := range d.paths {
		j.hit[c.strategy+":"+c.resolution]++
	}
	for range d.skipped {
		j.hit["skipped"]++
	}
	if len(d.writes) == 0 {
		j.hit["empty"]++
	}
}

// overall is the resolution that all paths share.
func (d *deed) overall() string {
	overall := d.paths[0].resolution
	for _, c := range d.paths {
		if c.resolution != overall {
			return "mixed"
		}
	}
	return overall
}

// conflictText writes a conflict so that two can be compared: what is stamped at another time counts for nothing.
func (d *deed) conflictText() string {
	if len(d.paths) == 0 {
		return ""
	}
	var lines []string
	for _, c := range d.paths {
		kind, id := kindAndID(c.key)
		lines = append(lines, conflictLine(kind, id, c.path, c.strategy, c.resolution, c.base, c.server, c.client, c.written,
			c.by.user, c.by.client, c.by.version, c.conflict))
	}
	slices.Sort(lines)
	return d.overall() + "\n" + strings.Join(lines, "\n")
}

func conflictLine(kind, id, path, strategy, resolution string, base, server, client, written any, user, by string, version int, conflict string) string {
	if path == "" {
		base, server, client, written = unstampedEntity(base), unstampedEntity(server), unstampedEntity(client), unstampedEntity(written)
	}
	return fmt.Sprintf("%s/%s %q %s:%s base %s server %s client %s written %s by %s %s %d %s", kind, id, path, strategy, resolution,
		canonical(plain(base)), canonical(plain(server)), canonical(plain(client)), canonical(plain(written)), user, by, version, conflict)
}

func (e *loggedEvent) conflictText() string {
	if e.Conflict == nil {
		return ""
	}
	return e.Conflict.Resolution + "\n" + pathsText(e.Conflict.Paths)
}

func pathsText(paths []object) string {
	var lines []string
	for _, p := range paths {
		lines = append(lines, conflictLine(p.text("kind"), p.text("id"), p.text("path"), p.text("strategy"), p.text("resolution"),
			p["base"], p["server"], p["client"], p["written"], p.text("by", "userId"), p.text("by", "clientId"), int(p.version("by")), p.text("conflictId")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (d *deed) skippedText() string {
	var lines []string
	for _, s := range d.skipped {
		kind, id := kindAndID(s.key)
		lines = append(lines, fmt.Sprintf("%s/%s %q by %s %d", kind, id, s.path, s.by.user, s.by.version))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// withoutMoot is skippedText of what the model knows for certain.
func (d *deed) withoutMoot(skipped []object) string {
	return skippedText(slices.DeleteFunc(slices.Clone(skipped), func(s object) bool {
		return d.moot[s.text("kind")+"/"+s.text("id")+s.text("path")]
	}))
}

func skippedText(skipped []object) string {
	var lines []string
	for _, s := range skipped {
		lines = append(lines, fmt.Sprintf("%s/%s %q by %s %d", s.text("kind"), s.text("id"), s.text("path"), s.text("by", "userId"), s.version("by")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
