package limit

import (
	"strings"
	"sync"
	"time"
)

const shards = 64

// shard holds some of the accounts in two generations: those seen since it last turned, and those seen in the turn
// before. A turn forgets the older ones. So what is forgotten was not seen for a whole turn, and a shard holds twice
// most at most.
type shard struct {
	mu     sync.Mutex
	most   int
	newer  map[string]*account
	older  map[string]*account
	turned time.Duration
}

// account returns the account of key, new if it is not known.
func (s *shard) account(key string) *account {
	if a := s.newer[key]; a != nil {
		return a
	}
	a := s.older[key]
	if a == nil {
		a, key = &account{}, strings.Clone(key) // not to keep what it was cut from
	}
	delete(s.older, key)
	if len(s.newer) >= s.most {
		s.turn()
	}
	if s.newer == nil {
		s.newer = map[string]*account{}
	}
	s.newer[key] = a
	return a
}

func (s *shard) turn() { s.newer, s.older = nil, s.newer }

// sweep turns if the last time was so long ago.
func (s *shard) sweep(now, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now-s.turned >= age {
		s.turn()
		s.turned = now
	}
}

func (s *shard) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.newer) + len(s.older)
}
