package command

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/projection"
)

// batch is what a session decided at once: its events follow on from a position and are appended together.
type batch struct {
	from   eventstore.Position
	before projection.Graph // the exported fields of the graph before

	events  []eventstore.Event
	records history
	answers []answer
	again   []pending // repetitions of operations of this very batch: decided after it
	ids     map[string]bool
}

// answer is what an item gets once the batch is in the log.
type answer struct {
	item    pending
	outcome Outcome
	err     *Error
}

// decideAll decides items in order, each on the graph as the ones before it leave it. done holds operations known to be
// in the log. Its error is a fault of ours: what the session holds may be half changed, and has to be forgotten.
func (s *session) decideAll(ctx context.Context, items []pending, done map[string]eventstore.Version) (b *batch, err error) {
	b = &batch{from: s.graph.Position, before: *s.graph,
		events: make([]eventstore.Event, 0, len(items)), records: make(history, 0, len(items)),
		answers: make([]answer, 0, len(items)), ids: make(map[string]bool, len(items))}
	s.deciding = b
	defer func() {
		s.deciding = nil
		if fault := recover(); fault != nil { // one command must not take the others' graphs down
			err = &Error{Code: Internal, Detail: "the command could not be decided", cause: fmt.Errorf("panic: %v\n%s", fault, debug.Stack())}
		}
	}()
	now := max(s.p.opts.Now().UnixMilli(), s.graph.LastModified)
	for _, item := range items {
		if b.repeats(item.command) {
			b.again = append(b.again, item)
			continue
		}
		outcome, err := s.decideItem(ctx, b, item.command, done, now)
		if err != nil {
			b.answers = append(b.answers, answer{item: item, err: s.p.refusal(s.id, err)})
			continue
		}
		b.answers = append(b.answers, answer{item: item, outcome: *outcome})
	}
	return b, nil
}

// decideItem decides one command into b. Its error, a refusal or one of the log, is that command's alone.
func (s *session) decideItem(ctx context.Context, b *batch, c *Command, done map[string]eventstore.Version, now int64) (*Outcome, error) {
	outcome, err := s.doneBefore(ctx, c, done)
	if err != nil || outcome != nil {
		return outcome, err
	}
	decided, writtenAt, err := s.decide(ctx, c, now)
	if err != nil {
		return nil, err
	}
	event := s.event(c, &decided, now, writtenAt)
	s.add(b, event)
	return &Outcome{OperationID: c.OperationID, Version: event.Version, Hash: event.Hash, Status: statusOf(event),
		Result: decided.result, Conflict: event.Conflict, Undoes: event.Undoes, Redoes: event.Redoes, Skipped: event.Skipped,
		Reverted: reverted(s.graph, decided.conflicts)}, nil
}

// decide decides a command with what it needs of the log, and returns its write time, too.
func (s *session) decide(ctx context.Context, c *Command, now int64) (decided decision, writtenAt int64, err error) {
	switch c.Type {
	case Undo, Redo:
		decided, err = s.undo(ctx, c, now)
		return decided, now, err
	case Restore:
		if err = s.checkBase(ctx, c); err == nil {
			decided, err = s.restore(ctx, c)
		}
		return decided, now, err
	case Resolve:
		decided, err = s.resolve(ctx, c, now)
		return decided, now, err
	case SetPolicy:
		return decision{result: c.Payload}, now, nil
	}
	on := terms{now: now, policies: policies{s.policy(), s.p.opts.Policy}, limits: &s.p.opts.Limits}
	if on.since, err = s.base(ctx, c); err != nil {
		return decision{}, 0, err
	}
	if on.writtenAt, err = s.writeTime(ctx, c, now); err != nil {
		return decision{}, 0, err
	}
	decided, refusal := decide(s.graph, on, c)
	if refusal != nil {
		return decision{}, 0, refusal
	}
	return decided, on.writtenAt, nil
}

// statusOf returns the status of an operation that has just been decided: a conflict, if paths were left to people.
func statusOf(event *record) string {
	for range openedBy(event) {
		return StatusConflict
	}
	return StatusProcessing
}

// policy returns the graph's conflict policy, nil if it has none.
func (s *session) policy() *Policy {
	text := s.graph.Policy
	if text == nil {
		return nil
	}
	if s.compiled == nil || !bytes.Equal(s.compiledFrom, text) {
		policy, err := readPolicy(text)
		if err != nil { // of a newer version, perhaps: then none of it holds
			s.p.opts.Logger.Warn("the graph's conflict policy is not understood", zap.String("graphId", s.id), zap.Error(err))
			policy = &Policy{}
		}
		s.compiled, s.compiledFrom = policy, text
	}
	return s.compiled
}

// repeats tells whether the batch holds an event for one of the command's operations already.
func (b *batch) repeats(c *Command) bool {
	if b.ids[c.OperationID] {
		return true
	}
	for i := range c.Operations {
		if b.ids[c.Operations[i].OperationID] {
			return true
		}
	}
	return false
}

// event makes the event of a decision, moves the graph's position to it and returns it.
func (s *session) event(c *Command, decided *decision, now, writtenAt int64) *record {
	event := &record{Event: projection.Event{
		Version:     s.graph.Position.Version + 1,
		CommandType: c.Type,
		OperationID: c.OperationID,
		UserID:      c.UserID,
		ClientID:    c.ClientID,
		Timestamp:   now,
		WrittenAt:   writtenAt,
		GestureID:   c.GestureID,
		Request:     c.Request,
		Operations:  decided.operations,
		Undoes:      decided.undoes,
		Redoes:      decided.redoes,
		Skipped:     decided.skipped,
		Resolves:    decided.resolves,
		Reopens:     decided.reopens,
		Changes:     decided.changes,
		Checksum:    s.graph.Checksum.String(),
	}}
	switch c.Type {
	case Restore:
		event.Restored, event.IsRestore = c.version, true
	case SetPolicy:
		event.Policy = c.Payload
	}
	if len(decided.conflicts) > 0 {
		event.Conflict = appendConflict(nil, decided.conflicts)
	}
	return event
}

// add encodes an event and puts it at the end of the batch, and the graph's position with it.
func (s *session) add(b *batch, event *record) {
	data := event.AppendJSON(make([]byte, 0, 512))
	event.Hash = eventstore.NextHash(s.graph.Position.Hash, data)
	event.size = len(data) + 512
	ids := event.OperationIDs()
	for _, id := range ids {
		b.ids[id] = true
	}
	s.graph.Advance(&event.Event, event.Hash)
	s.stacks.push(event)
	b.records = append(b.records, event)
	b.events = append(b.events, eventstore.Event{Version: event.Version, Data: data, Hash: event.Hash, Operations: ids})
}

// answer answers the items of a batch that is in the log, and returns those that are to be decided again. What is kept
// of operations comes first: who has an answer may ask about it at once.
func (s *session) answer(ctx context.Context, b *batch) []pending {
	s.findDone(ctx, b)
	entries := make([]Entry, 0, len(b.answers))
	now := s.p.opts.Now().UnixMilli()
	for i := range b.answers {
		a := &b.answers[i]
		if a.err == nil && a.outcome.Duplicate {
			continue
		}
		c := a.item.command
		entry := Entry{OperationID: c.OperationID, GraphID: s.id, Type: c.Type, UserID: c.UserID, Timestamp: now}
		if a.err == nil {
			entry.Version = uint64(a.outcome.Version)
		} else {
			refusal := *a.err
			refusal.OperationID = c.OperationID
			a.err, entry.Err = &refusal, &refusal
		}
		entries = append(entries, entry)
	}
	s.p.recorder.Record(entries...)
	for i := range b.answers {
		switch a := &b.answers[i]; {
		case a.err != nil:
			s.p.opts.Metrics.commands.WithLabelValues(string(a.err.Code)).Inc()
			a.item.reply(Outcome{}, a.err)
		case a.outcome.Duplicate:
			s.p.opts.Metrics.duplicates.Inc()
			a.item.reply(a.outcome, nil)
		default:
			s.p.opts.Metrics.accepted.Inc()
			a.item.reply(a.outcome, nil)
		}
	}
	return b.again
}

// findDone asks the log's index about commands that are about to be refused: one that was done before is answered as it
// was then, whatever the graph says now.
func (s *session) findDone(ctx context.Context, b *batch) {
	var ids []string
	for i := range b.answers {
		if a := &b.answers[i]; a.doubtful() {
			ids = append(ids, a.item.command.operationIDs()...)
		}
	}
	if len(ids) == 0 {
		return
	}
	versions, err := s.p.log.Operations(ctx, s.id, ids...)
	done := map[string]eventstore.Version{}
	for i, version := range versions {
		done[ids[i]] = version
	}
	for i := range b.answers {
		a := &b.answers[i]
		if !a.doubtful() {
			continue
		}
		var outcome *Outcome
		if err == nil {
			err = s.open(ctx)
		}
		failure := err
		if failure == nil {
			outcome, failure = s.doneBefore(ctx, a.item.command, done)
		}
		switch {
		case failure != nil:
			a.err = s.p.refusal(s.id, failure)
		case outcome != nil:
			a.outcome, a.err = *outcome, nil
		}
	}
}

// doubtful tells whether a refusal must give way to an earlier answer, if there is one.
func (a *answer) doubtful() bool {
	return a.err != nil && a.err.Code != OperationIDReused && a.err.Code != Unavailable && len(a.item.command.operationIDs()) > 0
}

// operationIDs returns the ids that the client gave, the command's own first.
func (c *Command) operationIDs() []string {
	var ids []string
	if !c.Minted {
		ids = append(ids, c.OperationID)
	}
	for i := range c.Operations {
		if id := c.Operations[i].OperationID; id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}
