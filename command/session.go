package command

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/projection"
)

// session is the only place in this process that appends to its graph: it owns the folded graph, takes what has
// gathered in its queue, decides it in order, and appends the whole by one call. While that call is under way the next
// batch gathers: group commit without a timer. Its goroutine runs only while there is something to do.
type session struct {
	id string
	p  *Processor

	// Guarded by p.mu.
	queue      []pending
	queueBytes int
	queueOps   int
	running    bool
	element    *list.Element // in p.idle, nil while running
	idleBytes  int

	head atomic.Uint64 // the newest version known to be in the log; 0 while that is not known

	// Owned by the goroutine that runs; nothing while none does.
	graph  *projection.Graph // nil until loaded
	recent *recent
	doubt  *batch // an append whose outcome is not known; graph holds its changes
	stacks stacks // what users can undo, as far as it has been asked for

	compiled     *Policy // the graph's, made of compiledFrom
	compiledFrom jsontext.Value

	// limit is how many commands are decided at once: halved by each lost race and doubled by each append, so that a
	// large batch does not lose for ever against the small ones of another process.
	limit int

	deciding *batch // while decideAll is at it
}

// pending is something to do for a session.
type pending struct {
	command  *Command
	inspect  func(ctx context.Context, s *session) // done in the place of the command, which may be nil
	reply    func(Outcome, error)
	deadline time.Time
}

func (i *pending) fail(err *Error) {
	refusal := *err
	if i.command != nil {
		refusal.OperationID = i.command.OperationID
	}
	i.reply(Outcome{}, &refusal)
}

// weight returns what an item takes of the queue's bounds.
func (i *pending) weight() (operations, bytes int) {
	if i.command == nil {
		return 1, 0
	}
	operations, bytes = 1, len(i.command.Payload)
	for _, part := range i.command.Operations {
		operations, bytes = operations+1, bytes+len(part.Payload)+len(part.write.value)
	}
	return operations, bytes
}

// offer takes items into the queue, all or none, and tells whether the session must be started. The caller holds p.mu.
func (s *session) offer(items []pending) (accepted, start bool) {
	operations, bytes := 0, 0
	for i := range items {
		o, b := items[i].weight()
		operations, bytes = operations+o, bytes+b
	}
	if s.queueOps > 0 && (s.queueOps+operations > s.p.opts.QueueLength || s.queueBytes+bytes > s.p.opts.QueueBytes) {
		return false, false
	}
	s.queue = append(s.queue, items...)
	s.queueOps, s.queueBytes = s.queueOps+operations, s.queueBytes+bytes
	start = !s.running
	s.running = true
	return true, start
}

// take returns what is to be done next, nil when there is nothing and the session has stopped running.
func (s *session) take(spare []pending) []pending {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if len(s.queue) == 0 {
		s.running = false
		if cap(s.queue) > 64 {
			s.queue = nil
		}
		s.p.park(s)
		return nil
	}
	count := min(len(s.queue), s.p.opts.BatchLength)
	items := append(spare[:0], s.queue[:count]...)
	rest := copy(s.queue, s.queue[count:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	for i := range items {
		o, b := items[i].weight()
		s.queueOps, s.queueBytes = s.queueOps-o, s.queueBytes-b
	}
	return items
}

func (s *session) run() {
	defer s.p.group.Done()
	var items []pending
	for {
		// Whoever is about to submit does so first: larger batches cost less for each command.
		runtime.Gosched()
		if items = s.take(items); items == nil {
			return
		}
		s.process(items)
		clear(items)
	}
}

// process answers every item, by the soonest of their deadlines.
func (s *session) process(items []pending) {
	items = s.refuseLate(items)
	if len(items) == 0 {
		return
	}
	deadline := items[0].deadline
	for i := range items {
		if items[i].deadline.Before(deadline) {
			deadline = items[i].deadline
		}
	}
	ctx, cancel := context.WithDeadline(s.p.ctx, deadline)
	defer cancel()
	for len(items) > 0 {
		if items[0].inspect != nil {
			items[0].inspect(ctx, s)
			items = items[1:]
			continue
		}
		count := 1
		for count < len(items) && items[count].inspect == nil {
			count++
		}
		s.decideAndAppend(ctx, items[:count])
		items = items[count:]
	}
}

// refuseLate refuses items whose time is all but over, so that the others get their share.
func (s *session) refuseLate(items []pending) []pending {
	soon := time.Now().Add(s.p.opts.Timeout / 6)
	inTime := items[:0]
	for _, item := range items {
		if item.deadline.Before(soon) {
			item.fail(&Error{Code: Unavailable, Detail: "the command had to wait too long"})
			continue
		}
		inTime = append(inTime, item)
	}
	return inTime
}

// open makes sure that the graph is loaded and stands at a version known to be in the log.
func (s *session) open(ctx context.Context) error {
	if s.doubt != nil {
		if err := s.settleDoubt(ctx); err != nil {
			return err
		}
	}
	if s.graph == nil {
		return s.load(ctx)
	}
	return nil
}

// decideAndAppend answers commands: it decides them in order, up to the limit at once, and appends their events by one
// call, again if others appended in between. Refusals are answered after the append, since they were decided on what it
// writes.
func (s *session) decideAndAppend(ctx context.Context, items []pending) {
	done := map[string]eventstore.Version{} // by the log's index, which the session did not remember
	for len(items) > 0 {
		if err := s.open(ctx); err != nil {
			failAll(items, s.p.refusal(s.id, err))
			return
		}
		count := min(len(items), s.limit)
		b, err := s.decideAll(ctx, items[:count], done)
		if err != nil {
			s.forget()
			if s.limit = 1; count == 1 { // else they are decided one by one, to find the one
				failAll(items[:1], s.p.refusal(s.id, err))
				items = items[1:]
			}
			continue
		}
		result, err := s.append(ctx, b)
		switch {
		case errors.Is(err, eventstore.ErrUnknown):
			s.doubt = b
			failAll(items[:count], s.p.refusal(s.id, err))
			items = items[count:]
		case errors.Is(err, eventstore.ErrTrimmed): // others have gone on far, and this was not appended before
			s.p.opts.Metrics.conflicts.Inc()
			s.limit = max(1, count/2)
			clear(done)
			if err := s.load(ctx); err != nil {
				failAll(items, s.p.refusal(s.id, err))
				return
			}
		case err != nil:
			s.rollback(b)
			if errors.Is(err, eventstore.ErrBroken) {
				s.forget() // the log may be another one than was loaded
			}
			failAll(items, s.p.refusal(s.id, err))
			return
		case result.Outcome == eventstore.Applied:
			s.settle(b)
			s.limit = min(2*s.limit, s.p.opts.BatchLength)
			items = items[count:]
			if again := s.answer(ctx, b); len(again) > 0 {
				items = append(again, items...)
			}
		case result.Outcome == eventstore.Duplicate:
			s.rollback(b)
			for id, version := range result.Done {
				done[id] = version
			}
		default:
			s.rollback(b)
			s.p.opts.Metrics.conflicts.Inc()
			s.limit = max(1, count/2)
			clear(done) // if it is another log now, they are not in it
			if err := s.catchUp(ctx, result.Head); err != nil {
				failAll(items, s.p.refusal(s.id, err))
				return
			}
		}
	}
}

func (s *session) append(ctx context.Context, b *batch) (eventstore.AppendResult, error) {
	if len(b.events) == 0 {
		return s.confirm(ctx, b)
	}
	return s.p.log.Append(ctx, s.id, b.from, b.events)
}

// confirm stands in for the append of a batch without events. An append proves that what was answered along with it was
// decided at the head; without one the log must be asked: others may have appended what a refusal misses, or deleted the
// graph that a repetition is remembered of.
func (s *session) confirm(ctx context.Context, b *batch) (eventstore.AppendResult, error) {
	head, err := s.p.log.Head(ctx, s.id)
	if err != nil || head == b.from {
		return eventstore.AppendResult{Head: head.Version}, err
	}
	return eventstore.AppendResult{Outcome: eventstore.Conflict, Head: head.Version}, nil
}

// settle makes a batch that is in the log part of the session's memory.
func (s *session) settle(b *batch) {
	for _, event := range b.records {
		s.recent.push(event)
		s.head.Store(uint64(event.Version))
	}
	if len(b.events) > 0 {
		s.p.opts.Metrics.batch.Observe(float64(len(b.events)))
	}
}

// settleDoubt finds out what became of an append whose outcome was unknown, by sending it again: whatever arrives first
// is applied, the other refused. Its senders have been told that it is unknown.
func (s *session) settleDoubt(ctx context.Context) error {
	result, err := s.append(ctx, s.doubt)
	switch {
	case errors.Is(err, eventstore.ErrBroken):
		s.forget()
		return err
	case errors.Is(err, eventstore.ErrTrimmed): // what became of it nobody can tell any more
		s.forget()
		return nil
	}
	if err != nil {
		// Even an append that certainly was not carried out this time may have been the time before. What waits behind it
		// was not appended, so for that the outcome is known.
		return fmt.Errorf("%w: an earlier append is in doubt: %v", eventstore.ErrUnavailable, err) //nolint:errorlint // its class is another
	}
	b := s.doubt
	s.doubt = nil
	if result.Outcome == eventstore.Applied {
		s.settle(b)
		return nil
	}
	s.rollback(b)
	if result.Outcome == eventstore.Conflict {
		return s.catchUp(ctx, result.Head)
	}
	return nil
}

// rollback takes the changes of a batch that was not appended back out of the graph.
func (s *session) rollback(b *batch) {
	for i := len(b.records) - 1; i >= 0; i-- {
		s.graph.RevertChanges(b.records[i].Changes)
	}
	s.graph.Position, s.graph.LastModified, s.graph.LastOperationID = b.from, b.before.LastModified, b.before.LastOperationID
	s.graph.Policy, s.graph.Conflicts = b.before.Policy, b.before.Conflicts
	s.stacks.takeBack(b.from.Version)
}

// forget drops what the session holds, to load it anew.
func (s *session) forget() {
	s.graph, s.recent, s.doubt = nil, nil, nil
	clear(s.stacks)
	s.head.Store(0)
}

func (s *session) size() int {
	if s.graph == nil {
		return 512
	}
	return 512 + s.graph.Size() + s.recent.bytes
}

// refusal turns an error of the log or the read models into the *Error that is answered.
func (p *Processor) refusal(graph string, err error) *Error {
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, eventstore.ErrUnknown): // first: its cause may be a deadline
		return &Error{Code: OutcomeUnknown, Detail: "the event log did not answer in time: send the command again with the same operationId", cause: err}
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: Unavailable, Detail: "the event log is out of reach; nothing was accepted", cause: err}
	}
	p.opts.Logger.Error("graph is stopped", zap.String("graphId", graph), zap.Error(err))
	return &Error{Code: Unavailable, Detail: "this graph is stopped: its log is damaged and needs an operator", cause: err}
}
