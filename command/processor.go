package command

import (
	"cmp"
	"container/list"
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/projection"
)

// Options configure a Processor. The zero value is ready to use.
type Options struct {
	Timeout      time.Duration    // how long a command may take, waiting included; default 2.8 s
	QueueLength  int              // operations waiting for one graph, beyond which commands are refused; default 10,000
	QueueBytes   int              // bytes of their payloads; default 32 MiB
	BatchLength  int              // commands appended at once, at most; default 512
	SessionBytes int              // memory for the graphs of all sessions, beyond which idle ones are dropped; default 512 MiB
	RecentEvents int              // newest events kept in memory for each graph; default 4,096
	RecentBytes  int              // bytes of the same; default 4 MiB
	Limits       Limits           // of what commands write; parse them under the same
	Policy       *Policy          // of the deployment: which strategy settles conflicts where; default the table of defaults
	Now          func() time.Time // stamps events; default time.Now

	// Snapshots are where states of the past may be had; nil: they are folded from the first event.
	Snapshots projection.Snapshots

	Logger  *zap.Logger // default discards
	Metrics *Metrics    // default counts for nobody
}

func (o *Options) setDefaults() {
	o.Timeout = cmp.Or(o.Timeout, 2800*time.Millisecond)
	o.QueueLength = cmp.Or(o.QueueLength, 10_000)
	o.QueueBytes = cmp.Or(o.QueueBytes, 32<<20)
	o.BatchLength = cmp.Or(o.BatchLength, 512)
	o.SessionBytes = cmp.Or(o.SessionBytes, 512<<20)
	o.RecentEvents = cmp.Or(o.RecentEvents, 4096)
	o.RecentBytes = cmp.Or(o.RecentBytes, 4<<20)
	o.Limits.setDefaults()
	o.Logger = cmp.Or(o.Logger, zap.NewNop())
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
}

// Processor runs commands: one session for each graph with traffic, which decides and appends. It is safe for
// concurrent use.
type Processor struct {
	log      eventstore.Log
	models   projection.ReadModels
	recorder Recorder
	opts     Options

	ctx    context.Context // of the sessions; ended by Close
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	sessions map[string]*session
	idle     *list.List // of *session that do not run, the longest idle first
	bytes    int        // of idle sessions
}

// New returns a Processor. Sessions are started by the commands that need them; Close ends them.
func New(log eventstore.Log, models projection.ReadModels, recorder Recorder, opts Options) *Processor {
	opts.setDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	return &Processor{log: log, models: models, recorder: recorder, opts: opts, ctx: ctx, cancel: cancel,
		sessions: map[string]*session{}, idle: list.New()}
}

// Close lets the sessions finish what they have accepted, refuses everything else, and returns when they have ended,
// or cuts them off when ctx is done.
func (p *Processor) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		p.group.Wait()
		close(ended)
	}()
	defer p.cancel()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		p.cancel()
		<-ended
		return ctx.Err()
	}
}

// Submit hands command to the graph's session and returns at once. reply is called exactly once, from any goroutine,
// within Options.Timeout or by the deadline of ctx (whichever is sooner; a little later under load), and must not block;
// its error is an *Error. Commands submitted by one goroutine for one graph take effect in the order submitted. A client
// that goes away does not take its command back: the end of ctx before its deadline changes nothing.
func (p *Processor) Submit(ctx context.Context, graph string, command *Command, reply func(Outcome, error)) {
	p.prepare(command)
	item := pending{command: command, reply: reply, deadline: p.deadline(ctx)}
	if command.DryRun {
		item.inspect = func(ctx context.Context, s *session) {
			result := s.decideDry(ctx, []*Command{command})[0]
			reply(result.Outcome, result.Err)
		}
	}
	p.enqueue(graph, item)
}

// deadline is when a command submitted now must have its answer.
func (p *Processor) deadline(ctx context.Context) time.Time {
	deadline := time.Now().Add(p.opts.Timeout)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(deadline) {
		return sooner
	}
	return deadline
}

// Do is Submit that waits for the answer.
func (p *Processor) Do(ctx context.Context, graph string, command *Command) (Outcome, error) {
	answer := make(chan Result, 1)
	p.Submit(ctx, graph, command, func(outcome Outcome, err error) { answer <- Result{outcome, err} })
	result := <-answer
	return result.Outcome, result.Err
}

// Result is the answer to one command.
type Result struct {
	Outcome Outcome
	Err     error // an *Error
}

// DoEach runs the commands of a non-atomic batch in order, each with an answer of its own; nil ones are passed over. All
// are dry runs, or none is.
func (p *Processor) DoEach(ctx context.Context, graph string, commands []*Command) []Result {
	results := make([]Result, len(commands))
	var waiting sync.WaitGroup
	items := make([]pending, 0, len(commands))
	deadline := p.deadline(ctx)
	for i, command := range commands {
		if command == nil {
			continue
		}
		p.prepare(command)
		waiting.Add(1)
		items = append(items, pending{command: command, deadline: deadline, reply: func(outcome Outcome, err error) {
			results[i] = Result{outcome, err}
			waiting.Done()
		}})
	}
	if len(items) > 0 && items[0].command.DryRun {
		items = dryTogether(items)
	}
	p.enqueue(graph, items...)
	waiting.Wait()
	return results
}

// dryTogether makes one item of several dry runs, so that each is decided on what the ones before it would leave.
func dryTogether(items []pending) []pending {
	together := pending{command: items[0].command, deadline: items[0].deadline}
	together.inspect = func(ctx context.Context, s *session) {
		commands := make([]*Command, len(items))
		for i := range items {
			commands[i] = items[i].command
		}
		for i, result := range s.decideDry(ctx, commands) {
			items[i].reply(result.Outcome, result.Err)
		}
	}
	together.reply = func(_ Outcome, err error) {
		for i := range items {
			items[i].reply(Outcome{}, err)
		}
	}
	return []pending{together}
}

// prepare gives a command the ids and names that its sender left to the server.
func (p *Processor) prepare(c *Command) {
	if c.OperationID == "" {
		c.OperationID, c.Minted = newID(), true
	}
	if c.ClientID == "" {
		c.ClientID = "user:" + c.UserID
	}
	c.mintEntities()
}

func (c *Command) mintEntities() {
	for i := range c.Operations {
		c.Operations[i].mintEntities()
	}
	if c.write.id == "" && c.write.kind != "" {
		c.write.id = newID()
	}
}

func newID() string { return ulid.MustNew(ulid.Now(), rand.Reader).String() }

// Head returns the newest version of graph that this process has appended, or seen while deciding; 0 if it knows of
// none. Another process may be ahead of it.
func (p *Processor) Head(graph string) eventstore.Version {
	p.mu.Lock()
	s := p.sessions[graph]
	p.mu.Unlock()
	if s == nil {
		return 0
	}
	return eventstore.Version(s.head.Load())
}

// Delete removes a graph: its log, its read models and all else; the id starts anew at version 0.
func (p *Processor) Delete(ctx context.Context, graph string) error {
	return p.inspect(ctx, graph, func(ctx context.Context, s *session) error {
		s.forget()
		if err := p.log.Delete(ctx, graph); err != nil {
			return err
		}
		return p.models.Delete(ctx, graph)
	})
}

// inspect runs f in the graph's session, between commands, and returns its error as an *Error. The session need not be
// open: a graph whose log is damaged can still be deleted.
func (p *Processor) inspect(ctx context.Context, graph string, f func(context.Context, *session) error) error {
	answer := make(chan error, 1)
	p.enqueue(graph, pending{
		inspect:  func(ctx context.Context, s *session) { answer <- f(ctx, s) },
		reply:    func(_ Outcome, err error) { answer <- err },
		deadline: p.deadline(ctx),
	})
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return p.refusal(graph, err)
	}
	return nil
}

// enqueue hands items to the graph's session, all or none, and starts it if it does not run.
func (p *Processor) enqueue(graph string, items ...pending) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		failAll(items, &Error{Code: Unavailable, Detail: "the server is stopping"})
		return
	}
	s := p.sessions[graph]
	if s == nil {
		s = &session{id: graph, p: p, limit: p.opts.BatchLength, stacks: stacks{}}
		p.sessions[graph] = s
	}
	accepted, start := s.offer(items)
	if start {
		p.unpark(s)
		p.group.Add(1)
	}
	p.mu.Unlock()
	switch {
	case !accepted:
		p.opts.Metrics.overloaded.Inc()
		failAll(items, &Error{Code: Unavailable, Detail: "too many commands are waiting for this graph"})
	case start:
		go s.run()
	}
}

func failAll(items []pending, err *Error) {
	for _, item := range items {
		item.fail(err)
	}
}

// park puts a session that has nothing to do among the idle ones, and drops the longest idle beyond the limit.
func (p *Processor) park(s *session) {
	s.idleBytes = s.size()
	p.bytes += s.idleBytes
	s.element = p.idle.PushBack(s)
	for p.bytes > p.opts.SessionBytes && p.idle.Len() > 0 {
		oldest := p.idle.Front().Value.(*session)
		p.unpark(oldest)
		delete(p.sessions, oldest.id)
	}
	p.opts.Metrics.sessions.Set(float64(len(p.sessions)))
}

func (p *Processor) unpark(s *session) {
	if s.element != nil {
		p.idle.Remove(s.element)
		p.bytes -= s.idleBytes
		s.element = nil
	}
}
