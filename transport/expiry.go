package transport

import (
	"container/heap"
	"sync"
	"time"
)

const (
	expiryAnswers = 2 * time.Second       // for commands under way when a token ends
	expiryAgain   = 20 * time.Millisecond // between two looks whether they are answered
	expiryWait    = time.Minute           // longest wait for the next end, since clocks are set now and then
)

// expiries end sessions when their tokens do. One timer serves all of them.
type expiries struct {
	mu      sync.Mutex
	pending expiryHeap
	timer   *time.Timer // for the first; nil while there is none
}

// set says when a session ends, in the place of what was said before. The zero time is never.
func (e *expiries) set(s *session, ends time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(s)
	if !ends.IsZero() {
		s.ends = ends
		heap.Push(&e.pending, s)
	}
	e.arm()
}

// forget takes a session out: it has ended.
func (e *expiries) forget(s *session) { e.set(s, time.Time{}) }

// remove is called with mu held, as arm is.
func (e *expiries) remove(s *session) {
	if s.place > 0 {
		heap.Remove(&e.pending, s.place-1)
	}
}

// arm sets the timer for the first session to end.
func (e *expiries) arm() {
	if len(e.pending) == 0 {
		if e.timer != nil {
			e.timer.Stop()
			e.timer = nil
		}
		return
	}
	wait := min(time.Until(e.pending[0].ends), expiryWait)
	if e.timer == nil {
		e.timer = time.AfterFunc(wait, e.endDue)
		return
	}
	e.timer.Reset(wait)
}

// endDue ends the sessions whose time has come.
func (e *expiries) endDue() {
	for _, s := range e.takeDue(time.Now()) {
		s.end(closeTokenExpired, "the token has expired")
	}
}

// takeDue takes out the sessions whose time has come. Those with commands under way are looked at again soon, for a while:
// they send no further ones that count, and learn what became of these.
func (e *expiries) takeDue(now time.Time) (due []*session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.arm()
	for len(e.pending) > 0 && !e.pending[0].ends.After(now) {
		s := e.pending[0]
		expires := s.principal.Load().Expires
		switch {
		case expires.After(now): // a new token has just come
			s.ends = expires
		case s.inFlight.Load() > 0 && now.Before(expires.Add(expiryAnswers)):
			s.ends = now.Add(expiryAgain)
		default:
			e.remove(s)
			due = append(due, s)
			continue
		}
		heap.Fix(&e.pending, 0)
	}
	return due
}

// expiryHeap is ordered by the time at which to look; every session in it knows its place.
type expiryHeap []*session

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].ends.Before(h[j].ends) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (h *expiryHeap) Push(x any) {
	s := x.(*session)
	*h = append(*h, s)
	s.place = len(*h)
}

// Pop implements heap.Interface.
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.place = 0
	return s
}
