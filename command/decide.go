package command

import (
	"cmp"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// decision is what deciding a command gives: the event's changes, already applied to the graph, and what its answer
// holds.
type decision struct {
	changes    []projection.Change
	operations []projection.OperationRecord // of a batch
	conflicts  []conflictPath
	result     jsontext.Value

	undoes, redoes []eventstore.Version
	skipped        jsontext.Value
	resolves       *projection.Resolution
	reopens        string
}

// terms are what a command is decided on besides the graph.
type terms struct {
	since     history // what happened since the command's base, at least where it writes
	now       int64   // Unix ms
	writtenAt int64   // Unix ms, the command's write time
	policies  policies
	limits    *Limits
}

// decide decides command on graph, which stands at the head. On success graph holds the changes, its position not moved;
// on refusal it is as before. It is deterministic: clock and ids come in with its arguments.
func decide(graph *projection.Graph, on terms, command *Command) (decision, *Error) {
	d := decider{terms: on, graph: graph, client: command.ClientID, strategy: command.Strategy}
	decided, err := d.decide(command)
	if err == nil {
		err = d.nameOpen(command)
	}
	if err != nil {
		graph.RevertChanges(d.changes)
		return decision{}, err
	}
	decided.changes, decided.conflicts = d.changes, d.conflicts
	return decided, nil
}

// decider holds what the operations of one command share.
type decider struct {
	terms
	graph    *projection.Graph
	client   string
	strategy string // that the operation asks for, "" for none

	changes   []projection.Change
	conflicts []conflictPath
	merger    *merger // nil until something is contested
}

func (d *decider) decide(command *Command) (decided decision, err *Error) {
	if command.Operations == nil {
		decided.result, err = d.operate(command)
		return decided, err
	}
	decided.operations = make([]projection.OperationRecord, len(command.Operations))
	results := append(make(jsontext.Value, 0, 256), `{"results":[`...)
	for i := range command.Operations {
		part := &command.Operations[i]
		before := len(d.changes)
		d.strategy = cmp.Or(part.Strategy, command.Strategy)
		result, err := d.operate(part)
		if err != nil {
			return decision{}, err
		}
		if i > 0 {
			results = append(results, ',')
		}
		results = append(results, result...)
		decided.operations[i] = projection.OperationRecord{OperationID: part.OperationID, Type: part.Type, Request: part.Request,
			Kind: part.write.kind, ID: part.write.id, Changes: len(d.changes) - before}
	}
	decided.result = append(results, "]}"...)
	return decided, nil
}

// operate decides one operation and returns its result.
func (d *decider) operate(c *Command) (jsontext.Value, *Error) {
	w := &c.write
	current := d.graph.Value(w.kind, w.id)
	switch {
	case w.kind == projection.Viewport:
		return d.updateViewport(c, w, current)
	case w.action == remove:
		return d.remove(c, w, current)
	case w.action != update:
		return d.put(c, w, current)
	case current == nil:
		return d.updateDeleted(c, w)
	}
	return d.update(c, w, current)
}

// write applies a change to the graph and keeps it. That the graph refuses it would be a fault of ours.
func (d *decider) write(c *Command, change projection.Change) *Error {
	before := len(d.changes)
	d.changes = append(d.changes, change)
	if err := d.graph.ApplyChanges(d.changes[before:]); err != nil {
		d.changes = d.changes[:before]
		return &Error{Code: Internal, Detail: "the command could not be decided", OperationID: c.OperationID, cause: err}
	}
	return nil
}

// atBase returns what stood at a path of an entity at the command's base; nil if nothing did. current is the entity as it
// is now.
func (d *decider) atBase(w *write, steps []string, current jsontext.Value) jsontext.Value {
	own := history{{Event: projection.Event{Changes: d.changes}}} // of the operations before this one
	return d.since.pathBefore(w.kind, w.id, steps, own.valueBefore(w.kind, w.id, current))
}

// null is what stands in a result for an entity that is not there.
var null = jsontext.Value("null")
