package command

import (
	"context"

	"graphy/eventstore"
	"graphy/projection"
)

// batch is what a session decided at once: its events follow on from a position and are appended together.
type batch struct {
	from            eventstore.Position
	lastModified    int64 // with lastOperationID and from: where the graph stood before
	lastOperationID string

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
// in the log.
func (s *session) decideAll(ctx context.Context, items []pending, done map[string]eventstore.Version) *batch {
	b := &batch{from: s.graph.Position, lastModified: s.graph.LastModified, lastOperationID: s.graph.LastOperationID,
		events: make([]eventstore.Event, 0, len(items)), records: make(history, 0, len(items)),
		answers: make([]answer, 0, len(items)), ids: make(map[string]bool, len(items))}
	s.deciding = b
	defer func() { s.deciding = nil }()
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
	return b
}

// decideItem decides one command into b. Its error, a refusal or one of the log, is that command's alone.
func (s *session) decideItem(ctx context.Context, b *batch, c *Command, done map[string]eventstore.Version, now int64) (*Outcome, error) {
	outcome, err := s.doneBefore(ctx, c, done)
	if err != nil || outcome != nil {
		return outcome, err
	}
	since, err := s.base(ctx, c)
	if err != nil {
		return nil, err
	}
	writtenAt, err := s.writeTime(ctx, c, now)
	if err != nil {
		return nil, err
	}
	decided, refusal := decide(s.graph, since, c, now)
	if refusal != nil {
		return nil, refusal
	}
	event := s.event(c, &decided, now, writtenAt)
	s.add(b, event)
	return &Outcome{OperationID: c.OperationID, Version: event.Version, Hash: event.Hash, Status: StatusProcessing,
		Result: decided.result, Conflict: event.Conflict}, nil
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
		Changes:     decided.changes,
		Checksum:    s.graph.Checksum.String(),
	}}
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
