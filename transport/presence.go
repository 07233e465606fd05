package transport

import (
	"context"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	presenceTick    = 50 * time.Millisecond // between two bundles of news
	presenceTickMax = time.Second
	presenceEach    = 5 * time.Microsecond   // of the time between two bundles that each frame of one takes up
	presenceLate    = 8                      // times as long as a tick came late, which tells of a busy machine, the next one waits
	presenceAgain   = 250 * time.Millisecond // until those who could take none are tried again
	presenceGone    = 4096                   // members kept that are gone, for those who were not told yet
)

// presence is who is present on one graph, for the sessions there in this process. It lasts as long as they do.
//
// News are coalesced: the first leave at once, what comes meanwhile leaves together a tick later, of each client the
// newest alone. The more there is to tell, and the busier the machine, the longer the ticks. A session whose outbox takes none for now is told
// later of all that has changed since. Between ticks there is nothing but a timer, and without news not even that.
type presence struct {
	set    *presences
	graph  string
	place  string // names these sessions to other processes
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	roster   roster
	viewers  map[presenceViewer]*viewing
	here     map[presenceKey]int // connections of each client
	showing  int                 // clients here that show something
	timer    *time.Timer
	due      time.Time // when timer fires; zero if it is not set
	lastTick time.Time
	interval time.Duration // from lastTick to the next
	closed   bool
	sharing
}

// presenceViewer is whom presence is shown to; *session is one.
type presenceViewer interface {
	// offer queues frames that may get lost. It does not block, and takes all or none.
	offer(frames ...[]byte) bool
}

// viewing is how much a viewer has seen.
type viewing struct {
	key  presenceKey // it is not shown itself
	seen uint64      // the number of the roster
}

func newPresence(set *presences, graph string) *presence {
	p := &presence{set: set, graph: graph, place: ulid.Make().String(), interval: presenceTick,
		viewers: map[presenceViewer]*viewing{}, here: map[presenceKey]int{}}
	p.ctx, p.cancel = context.WithCancel(set.sockets.ctx)
	return p
}

// enter shows to v who is present, and from now on what changes.
func (p *presence) enter(v presenceViewer, key presenceKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.viewers[v] = &viewing{key: key}
	p.here[key]++
	if p.roster.number > 0 {
		p.wake(0)
	}
}

// leave undoes enter and reports whether v was the last. With its last connection here a client is gone from here.
func (p *presence) leave(v presenceViewer) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	viewing := p.viewers[v]
	if viewing == nil {
		return false
	}
	delete(p.viewers, v)
	if p.here[viewing.key]--; p.here[viewing.key] == 0 {
		delete(p.here, viewing.key)
		p.say(viewing.key, nil)
	}
	return len(p.viewers) == 0
}

// show takes what v's client says of itself; nil says that it shows nothing.
func (p *presence) show(v presenceViewer, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if viewing := p.viewers[v]; viewing != nil {
		p.say(viewing.key, data)
	}
}

// say is called with mu held.
func (p *presence) say(key presenceKey, data []byte) {
	switch _, said := p.roster.saidAt(p.place, key); {
	case data == nil && !said:
		return
	case data == nil:
		p.showing--
	case !said:
		p.showing++
	}
	p.roster.tell(p.place, key, uint64(time.Now().UnixMilli()), data)
	p.untold(key)
	p.wake(0)
}

// wake has tick called after a wait, though never sooner than the interval allows. It is called with mu held.
func (p *presence) wake(wait time.Duration) {
	if p.closed {
		return
	}
	now := time.Now()
	due := now.Add(wait)
	if earliest := p.lastTick.Add(p.interval); due.Before(earliest) {
		due = earliest
	}
	switch {
	case !p.due.IsZero() && !due.Before(p.due):
		return
	case p.timer == nil:
		p.timer = time.AfterFunc(due.Sub(now), p.tick)
	default:
		p.timer.Reset(due.Sub(now))
	}
	p.due = due
}

// tick hands out what is new, here and to other processes.
func (p *presence) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.due.IsZero() {
		return
	}
	now := time.Now()
	late := now.Sub(p.due)
	p.due, p.lastTick = time.Time{}, now
	p.roster.expire(now.Add(-p.set.sockets.limits.presenceSilence))
	lines, behind := p.handOut()
	p.interval = min(max(presenceTick, time.Duration(lines)*presenceEach, presenceLate*late), presenceTickMax)
	if behind {
		p.wake(presenceAgain)
	}
	p.share(now)
}

// handOut offers to each viewer what it has not seen yet. It returns how many frames were taken, and whether a viewer
// took none.
func (p *presence) handOut() (taken int, behind bool) {
	metrics := &p.set.metrics
	bundles := map[uint64]news{}
	lowest := p.roster.number
	for v, viewing := range p.viewers {
		if viewing.seen == p.roster.number {
			continue
		}
		bundle, made := bundles[viewing.seen]
		if !made {
			bundle = p.roster.after(viewing.seen)
			bundles[viewing.seen] = bundle
		}
		lines := bundle.lines
		if m := p.roster.members[viewing.key]; m != nil && m.changed > viewing.seen {
			lines = bundle.without(viewing.key)
		}
		if len(lines) > 0 && !v.offer(lines...) {
			metrics.dropped.Add(float64(len(lines)))
			lowest, behind = min(lowest, viewing.seen), true
			continue
		}
		taken += len(lines)
		viewing.seen = p.roster.number
	}
	metrics.sent.Add(float64(taken))
	p.roster.forget(lowest, presenceGone)
	return taken, behind
}

// close ends it: there are no viewers any more.
func (p *presence) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.cancel()
	p.sayGoodbye()
}
