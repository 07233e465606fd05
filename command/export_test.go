package command

import "context"

// usual parses under the default limits, and so do the functions below.
var usual = NewParser(Limits{})

var (
	Parse          = usual.Parse
	ParseFrame     = usual.ParseFrame
	ParseBatch     = usual.ParseBatch
	ParseUndo      = usual.ParseUndo
	ParseRedo      = usual.ParseRedo
	ParseUndoFrame = usual.ParseUndoFrame
	ParseResolve   = usual.ParseResolve
	ParsePolicy    = usual.ParsePolicy
)

// What draws bodies of commands and policies, for properties of the Processor.
var (
	DrawCommand   = drawCommand   // on few entities, sensible or not
	DrawContested = drawContested // on few paths
	DrawPolicy    = drawPolicy
)

// At returns what a policy says of a path, "" for nothing.
func (p *Policy) At(path string) string {
	steps, _ := pointerSteps(path)
	return p.strategy(steps)
}

// MarksOf returns how much a session remembers of a user's stack.
func MarksOf(p *Processor, graph, user string) int {
	count := 0
	_ = p.inspect(context.Background(), graph, func(_ context.Context, s *session) error {
		if stack := s.stacks[user]; stack != nil {
			count = len(stack.marks)
		}
		return nil
	})
	return count
}
