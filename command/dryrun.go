package command

import (
	"context"

	"graphy/eventstore"
)

// decideDry decides commands one after the other, each on what the ones before it would leave, and writes nothing. It works
// at the head of the log, as commands that are meant do.
func (s *session) decideDry(ctx context.Context, commands []*Command) []Result {
	results := make([]Result, len(commands))
	if err := s.dry(ctx, commands, results); err != nil {
		refusal := s.p.refusal(s.id, err)
		for i := range results {
			results[i] = Result{Err: refusal.of(commands[i])}
		}
	}
	return results
}

func (s *session) dry(ctx context.Context, commands []*Command, results []Result) error {
	done, err := s.doneIn(ctx, commands)
	if err != nil {
		return err
	}
	if err := s.toHead(ctx); err != nil {
		return err
	}
	for id, version := range done {
		if version > s.graph.Position.Version {
			delete(done, id) // of a history that is gone meanwhile
		}
	}
	items := make([]pending, len(commands))
	index := map[*Command]int{}
	for i, command := range commands {
		index[command], items[i].command = i, command
	}
	b, err := s.decideAll(ctx, items, done)
	if err != nil {
		s.forget()
		return err
	}
	s.rollback(b)
	first := map[string]*answer{}
	for i := range b.answers {
		a := &b.answers[i]
		results[index[a.item.command]] = a.dry()
		if a.err == nil {
			first[a.item.command.OperationID] = a
		}
	}
	for i := range b.again {
		command := b.again[i].command
		results[index[command]] = command.dryAgain(first[command.OperationID])
	}
	return nil
}

// dry is an answer to a command that was decided and not appended. What was done before is answered as it was then.
func (a *answer) dry() Result {
	if a.err != nil {
		return Result{Err: a.err.of(a.item.command)}
	}
	outcome := a.outcome
	if !outcome.Duplicate {
		outcome.Status, outcome.Hash, outcome.DryRun = StatusDryRun, "", true
	}
	return Result{Outcome: outcome}
}

// dryAgain answers a command whose id another one before it has, which got the answer first: again, if they are the same.
func (c *Command) dryAgain(first *answer) Result {
	if first == nil || first.item.command.Type != c.Type || first.item.command.Request != c.Request {
		return Result{Err: refuse(OperationIDReused, c.fieldPointer("operationId"), "the operation %q was another request", c.OperationID).of(c)}
	}
	again := first.dry()
	again.Outcome.Duplicate, again.Outcome.Reverted = true, nil
	return again
}

// of returns a refusal as that of a command.
func (e *Error) of(command *Command) *Error {
	refusal := *e
	refusal.OperationID = command.OperationID
	return &refusal
}

// toHead opens the graph and folds what others have appended.
func (s *session) toHead(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	head, err := s.p.log.Head(ctx, s.id)
	if err != nil || head == s.graph.Position {
		return err
	}
	return s.catchUp(ctx, head.Version)
}

// doneIn returns those operations of commands that are in the log, with their versions.
func (s *session) doneIn(ctx context.Context, commands []*Command) (map[string]eventstore.Version, error) {
	var ids []string
	for _, command := range commands {
		ids = append(ids, command.operationIDs()...)
	}
	done := map[string]eventstore.Version{}
	if len(ids) == 0 {
		return done, nil
	}
	versions, err := s.p.log.Operations(ctx, s.id, ids...)
	for i, version := range versions {
		if version != 0 {
			done[ids[i]] = version
		}
	}
	return done, err
}
