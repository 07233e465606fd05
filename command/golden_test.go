package command_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
	"graphy/command/commandtest"
	"graphy/eventstore"
	"graphy/projection"
)

// TestGoldenCases carries out the golden cases over a log in memory, by a clock of their own.
func TestGoldenCases(t *testing.T) {
	memories := map[string]command.Options{"events in memory": {}, "events in the log": {RecentEvents: 1}}
	for _, c := range commandtest.Load(t, "../testdata/cases") {
		for name, opts := range memories {
			if _, trims := c.Does("trim"); trims && opts.RecentEvents == 0 {
				continue // what the session remembers it need not read
			}
			t.Run(c.Title+"/"+name, func(t *testing.T) { commandtest.Run(t, &c, newGoldenDriver(t, &c, opts)) })
		}
	}
}

// goldenDriver carries out a case through a Processor.
type goldenDriver struct {
	site      *site
	log       *trimmedLog
	now       time.Time
	opts      command.Options
	processor *command.Processor
	clients   []commandtest.Client
	sent      map[string][]jsontext.Value // nil: what is sent is not known here
}

func newGoldenDriver(t testing.TB, c *commandtest.Case, opts command.Options) *goldenDriver {
	s, log := newSite()
	d := &goldenDriver{site: s, log: &trimmedLog{Log: log}, now: time.UnixMilli(1760000000000), opts: opts, clients: c.Clients()}
	s.log = d.log
	d.opts.Now = func() time.Time { return d.now }
	if c.Deployment != nil {
		policy, err := command.ParsePolicyConfig(c.Deployment)
		if err != nil {
			t.Fatal(err)
		}
		d.opts.Policy = policy
	}
	d.processor = s.start(t, d.opts)
	return d
}

// Tick lets a second go by.
func (d *goldenDriver) Tick(testing.TB) { d.now = d.now.Add(time.Second) }

func (d *goldenDriver) Send(t testing.TB, r commandtest.Request) (commandtest.Reply, error) {
	d.sent = nil
	switch r.Do {
	case "restart":
		d.processor = d.site.start(t, d.opts)
		return commandtest.Reply{}, nil
	case "trim":
		d.log.floor = eventstore.Version(r.Through)
		return commandtest.Reply{}, nil
	case "GET":
		return d.get(t, r.Path)
	}
	identity := command.Identity{UserID: r.By.User, ClientID: r.By.ID}
	parsed, each, refusals, err := parseGolden(r, identity)
	switch {
	case err != nil:
		return refused(err), nil
	case parsed == nil:
		return d.each(t, each, refusals), nil
	}
	outcome, err := d.processor.Do(t.Context(), "g", parsed)
	if err != nil {
		return refused(err), nil
	}
	body := answerOf(outcome)
	d.sent = map[string][]jsontext.Value{}
	for _, client := range d.clients {
		d.sent[client.String()] = nil
	}
	d.sent[r.By.String()] = messagesOf(outcome, body)
	return commandtest.Reply{Body: body, Socket: true}, nil
}

func parseGolden(r commandtest.Request, identity command.Identity) (parsed *command.Command, each []*command.Command, refusals []error, err error) {
	switch r.Do {
	case "batch":
		return command.ParseBatch(r.Body, identity)
	case "undo":
		parsed, err = command.ParseUndo(r.Body, identity)
	case "redo":
		parsed, err = command.ParseRedo(r.Body, identity)
	case "resolve":
		parsed, err = command.ParseResolve(r.Body, r.Path, identity)
	case "policy":
		parsed, err = command.ParsePolicy(r.Body, identity)
	default:
		parsed, err = command.Parse(r.Body, identity)
	}
	return parsed, nil, nil, err
}

// get answers the queries that are about the log, from the log.
func (d *goldenDriver) get(t testing.TB, path string) (commandtest.Reply, error) {
	address, err := url.Parse(path)
	if err != nil {
		return commandtest.Reply{}, err
	}
	query := address.Query()
	switch address.Path {
	case "/state":
		return d.stateAt(t, query.Get("at"))
	case "/diff":
		return d.diff(t, query.Get("from"), query.Get("to"))
	case "/policy":
		return commandtest.Reply{Body: d.fold(t).Policy}, nil
	case "/conflicts":
		records := []jsontext.Value{}
		for _, record := range d.fold(t).Conflicts.All() {
			if projection.Text(projection.Member(record, "status")) == query.Get("status") {
				records = append(records, record)
			}
		}
		return commandtest.Reply{Body: marshal(map[string]any{"conflicts": records})}, nil
	}
	return commandtest.Reply{}, fmt.Errorf("GET %s: %w", path, commandtest.ErrUnsupported)
}

func (d *goldenDriver) stateAt(t testing.TB, at string) (commandtest.Reply, error) {
	version, err := strconv.ParseUint(at, 10, 64)
	if err != nil {
		return commandtest.Reply{}, fmt.Errorf("at=%s: %w", at, commandtest.ErrUnsupported)
	}
	state, err := projection.At(t.Context(), d.log, nil, "g", eventstore.Version(version))
	switch {
	case errors.Is(err, projection.ErrTrimmed):
		return refused(&command.Error{Code: command.HistoryTrimmed}), nil
	case errors.Is(err, projection.ErrAhead):
		return refused(&command.Error{Code: "invalid-query"}), nil
	case err != nil:
		return commandtest.Reply{}, err
	}
	return commandtest.Reply{Body: state.AppendState(nil)}, nil
}

// diff composes the events between two versions; it must come to what the two states differ in.
func (d *goldenDriver) diff(t testing.TB, from, to string) (commandtest.Reply, error) {
	first, _ := strconv.Atoi(from)
	events := d.Events(t)
	last, err := strconv.Atoi(to)
	if err != nil {
		last = len(events)
	}
	if first > last || last > len(events) {
		return refused(&command.Error{Code: "invalid-query"}), nil
	}
	var net projection.Net
	for _, raw := range events[first:last] {
		event, err := projection.DecodeEvent(raw)
		if err != nil {
			return commandtest.Reply{}, err
		}
		net.Add(event.Changes)
	}
	before, err := projection.At(t.Context(), d.log.Log, nil, "g", eventstore.Version(first))
	if err != nil {
		return commandtest.Reply{}, err
	}
	after, err := projection.At(t.Context(), d.log.Log, nil, "g", eventstore.Version(last))
	if err != nil {
		return commandtest.Reply{}, err
	}
	changes := string(projection.AppendChanges(nil, net.Changes()))
	if states := string(projection.AppendChanges(nil, projection.Diff(before, after))); changes != states {
		t.Errorf("from %d to %d: the events come to %s, the states differ in %s", first, last, changes, states)
	}
	return commandtest.Reply{Body: jsontext.Value(fmt.Sprintf(`{"from":%d,"to":%d,"changes":%s}`, first, last, changes))}, nil
}

// each carries out a batch that is not atomic.
func (d *goldenDriver) each(t testing.TB, commands []*command.Command, refusals []error) commandtest.Reply {
	var results []jsontext.Value
	for i, result := range d.processor.DoEach(t.Context(), "g", commands) {
		if refusals[i] != nil {
			result.Err = refusals[i]
		}
		if result.Err != nil {
			results = append(results, marshal(map[string]any{"accepted": false, "error": refused(result.Err).Body}))
			continue
		}
		results = append(results, answerOf(result.Outcome))
	}
	return commandtest.Reply{Body: marshal(map[string]any{"results": results})}
}

// answerOf is the body that clients get of an outcome.
func answerOf(o command.Outcome) jsontext.Value {
	body := map[string]any{"accepted": true, "operationId": o.OperationID, "version": o.Version, "hash": o.Hash, "status": o.Status, "result": o.Result}
	if o.Duplicate {
		body["duplicate"] = true
	}
	if o.Conflict != nil {
		body["conflict"] = o.Conflict
	}
	if o.DryRun {
		delete(body, "hash")
	}
	for name, versions := range map[string][]eventstore.Version{"undoes": o.Undoes, "redoes": o.Redoes} {
		if len(versions) > 0 {
			body[name], body["skipped"] = versions, []any{}
		}
	}
	if o.Skipped != nil {
		body["skipped"] = o.Skipped
	}
	return marshal(body)
}

// messagesOf is what the sender is to be sent because of an outcome.
func messagesOf(o command.Outcome, body jsontext.Value) []jsontext.Value {
	messages := []jsontext.Value{merged(body, map[string]any{"type": "command_result"})}
	if o.Conflict == nil || o.Duplicate || o.DryRun {
		return messages
	}
	messages = append(messages, merged(o.Conflict, map[string]any{"type": "conflict", "operationId": o.OperationID, "version": o.Version}))
	if len(o.Reverted) == 0 {
		return messages
	}
	var entities []map[string]any
	for _, r := range o.Reverted {
		entities = append(entities, map[string]any{"kind": r.Kind, "id": r.ID, "value": r.Value})
	}
	return append(messages, marshal(map[string]any{"type": "revert", "operationId": o.OperationID,
		"error": map[string]string{"code": "conflict-lost"}, "entities": entities}))
}

func refused(err error) commandtest.Reply {
	var refusal *command.Error
	if !errors.As(err, &refusal) {
		return commandtest.Reply{Refused: true, Body: marshal(map[string]any{"code": "not a refusal", "detail": err.Error()})}
	}
	var fields []map[string]string
	for _, field := range refusal.Fields {
		fields = append(fields, map[string]string{"pointer": field.Pointer, "detail": field.Detail})
	}
	return commandtest.Reply{Refused: true, Body: marshal(map[string]any{"code": refusal.Code, "detail": refusal.Detail, "errors": fields})}
}

func marshal(value any) jsontext.Value {
	text, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprint("an answer of our own: ", err))
	}
	return text
}

// merged returns an object with further members.
func merged(object jsontext.Value, more map[string]any) jsontext.Value {
	members := map[string]any{}
	_ = json.Unmarshal(object, &members) // ours
	for name, value := range more {
		members[name] = value
	}
	return marshal(members)
}

// Events reads the whole log, what was trimmed too.
func (d *goldenDriver) Events(t testing.TB) []jsontext.Value {
	t.Helper()
	entries, err := d.log.Log.Read(context.Background(), "g", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]jsontext.Value, len(entries))
	for i, entry := range entries {
		events[i] = append(entry.Data[:len(entry.Data)-1:len(entry.Data)-1], `,"hash":"`+string(entry.Hash)+`"}`...)
	}
	return events
}

// State folds the log, which checks every hash and checksum on the way.
func (d *goldenDriver) State(t testing.TB) jsontext.Value {
	t.Helper()
	return d.fold(t).AppendState(nil)
}

// Messages are those that the outcome asks for.
func (d *goldenDriver) Messages(testing.TB) map[string][]jsontext.Value { return d.sent }

func (d *goldenDriver) fold(t testing.TB) *projection.Graph {
	t.Helper()
	whole := site{log: d.log.Log}
	return whole.fold(t)
}
