package transport

// flush writes what is on its way to the client until there is nothing more: all that came while a write was under way
// leaves with the next one. It runs on a goroutine of its own, one at a time, which is there only while it is needed.
func (s *session) flush() {
	defer s.recoverPanic()
	w := wires.Get().(*wire)
	defer func() {
		w.reset()
		if cap(w.bytes) <= keepBuffer {
			wires.Put(w)
		}
	}()
	w.joined = s.batch
	for {
		todo, last := s.take(w, s.followed())
		if !todo {
			return
		}
		if err := s.line.send(w); err != nil {
			s.lost()
			return
		}
		if last {
			s.line.expectEnd(lingerTime)
		}
	}
}

// followed returns the hub of a session that has joined.
func (s *session) followed() *hub {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub
}

// lost is called when nothing can be written any more.
func (s *session) lost() {
	s.cut()
	s.drop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}
