package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

// history is what a stream should be: a model of what appends, trimming and rewriting come to.
type history struct {
	base   eventstore.Base
	floor  eventstore.Position // events up to here are gone
	events []eventstore.Event  // those after it
	index  map[string]eventstore.Version
}

func (h *history) head() eventstore.Position {
	if len(h.events) > 0 {
		return h.events[len(h.events)-1].Position()
	}
	return h.floor
}

func (h *history) add(events []eventstore.Event) {
	h.events = append(slices.Clone(h.events), events...)
	for _, event := range events {
		for _, id := range event.Operations {
			h.index[id] = event.Version
		}
	}
}

// model draws any order of appends, bases, trims, rewritings and deletions, and compares the stream with the model after
// each.
func model(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	var streams atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		s := &modelled{log: log, m: m, name: fmt.Sprintf("model-%d", streams.Add(1)), want: history{index: map[string]eventstore.Version{}}}
		t.Repeat(map[string]func(*rapid.T){
			"append":      s.append,
			"stale":       s.stale,
			"base":        s.setBase,
			"trim":        s.trim,
			"rewrite":     s.rewrite,
			"restore":     s.restore,
			"write later": s.writeLater,
			"delete":      s.delete,
			"tail":        s.tail,
			"":            s.check,
		})
	})
}

// modelled is a stream beside its model.
type modelled struct {
	log     eventstore.Log
	m       eventstore.Maintainer
	name    string
	want    history
	trimmed []eventstore.Event // of the history there is
	count   int
	pending *modelRewrite
}

// modelRewrite is new content that is not committed yet.
type modelRewrite struct {
	eventstore.Rewriting
	content  history
	trimmed  []eventstore.Event
	expected eventstore.Position
}

// chain returns n events after from, unlike all others.
func (s *modelled) chain(from eventstore.Position, n int) []eventstore.Event {
	data := make([]string, n)
	for i := range data {
		s.count++
		data[i] = fmt.Sprintf(`{"n":%d}`, s.count)
	}
	return Chain(from, data...)
}

func (s *modelled) append(t *rapid.T) {
	events := s.chain(s.want.head(), rapid.IntRange(1, 5).Draw(t, "events"))
	result, err := s.log.Append(t.Context(), s.name, s.want.head(), events)
	if err != nil || result.Outcome != eventstore.Applied {
		t.Fatalf("append: %+v, %v", result, err)
	}
	s.want.add(events)
}

func (s *modelled) stale(t *rapid.T) {
	if s.want.head().Version == 0 {
		return
	}
	head := s.want.head()
	at := eventstore.Position{Version: eventstore.Version(rapid.IntRange(0, int(head.Version)).Draw(t, "at")), Hash: "0"}
	result, err := s.log.Append(t.Context(), s.name, at, s.chain(at, 1))
	if at.Version < s.want.floor.Version && errors.Is(err, eventstore.ErrTrimmed) {
		return
	}
	if err != nil || result.Outcome != eventstore.Conflict || result.Head != head.Version {
		t.Fatalf("append at %v: %+v, %v, want Conflict at %d", at, result, err, head.Version)
	}
}

// pick returns an event that the stream holds, false if there is none.
func (s *modelled) pick(t *rapid.T) (int, bool) {
	if len(s.want.events) == 0 {
		return 0, false
	}
	return rapid.IntRange(0, len(s.want.events)-1).Draw(t, "event"), true
}

func (s *modelled) setBase(t *rapid.T) {
	i, ok := s.pick(t)
	if !ok {
		return
	}
	base := baseAt(s.want.events[i])
	if err := s.m.SetBase(t.Context(), s.name, base); err != nil {
		t.Fatalf("base %v: %v", base.Position, err)
	}
	if base.Version >= s.want.base.Version {
		s.want.base = base
	}
}

func (s *modelled) trim(t *rapid.T) {
	i, ok := s.pick(t)
	if !ok {
		return
	}
	again := rapid.IntRange(0, len(s.trimmed)).Draw(t, "trimmed before")
	oldest := slices.Concat(s.trimmed[len(s.trimmed)-again:], s.want.events[:i+1])
	err := s.m.Trim(t.Context(), s.name, oldest)
	if last := oldest[len(oldest)-1]; last.Version > s.want.base.Version || last.Version == s.want.head().Version {
		if !errors.Is(err, eventstore.ErrBroken) {
			t.Fatalf("trim to %d with base %d, head %d: %v", last.Version, s.want.base.Version, s.want.head().Version, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("trim: %v", err)
	}
	s.trimmed = append(slices.Clone(s.trimmed), s.want.events[:i+1]...)
	s.want.floor = s.want.events[i].Position()
	s.want.events = s.want.events[i+1:]
	for _, event := range oldest {
		for _, id := range event.Operations {
			delete(s.want.index, id)
		}
	}
}

// rewrite gives the stream another content: with a base or without, with events or with a base alone.
func (s *modelled) rewrite(t *rapid.T) {
	content := history{index: map[string]eventstore.Version{}}
	if rapid.Bool().Draw(t, "with a base") {
		s.count++
		content.floor = eventstore.Position{Version: eventstore.Version(rapid.IntRange(1, 9).Draw(t, "version")),
			Hash: eventstore.NextHash("", fmt.Append(nil, s.count))}
		content.base = eventstore.Base{Position: content.floor, Data: []byte("anew")}
	}
	events := s.chain(content.floor, rapid.IntRange(0, 6).Draw(t, "events"))
	content.add(events)
	if content.head().Version == 0 {
		return
	}
	s.begin(t, content, events, nil)
	s.commit(t, rapid.Bool().Draw(t, "at once"))
}

// restore brings back what was trimmed.
func (s *modelled) restore(t *rapid.T) {
	if s.want.floor.Version == 0 || len(s.trimmed) == 0 || s.trimmed[0].Version != 1 {
		return
	}
	content := history{index: map[string]eventstore.Version{}}
	events := slices.Concat(s.trimmed, s.want.events)
	content.add(events)
	s.begin(t, content, events, nil)
	s.commit(t, true)
}

func (s *modelled) begin(t *rapid.T, content history, events, trimmed []eventstore.Event) {
	r, err := s.m.Rewrite(t.Context(), s.name, content.base)
	if err == nil {
		err = r.Write(t.Context(), events)
	}
	if err != nil {
		t.Fatalf("rewrite: %v", err)
	}
	s.pending = &modelRewrite{Rewriting: r, content: content, trimmed: trimmed, expected: s.want.head()}
}

func (s *modelled) commit(t *rapid.T, now bool) {
	if !now {
		return
	}
	committed, err := s.pending.Commit(t.Context(), s.pending.expected)
	if want := s.pending.expected == s.want.head(); err != nil || committed != want {
		t.Fatalf("commit at %v of %v: %t, %v, want %t", s.pending.expected, s.want.head(), committed, err, want)
	}
	if committed {
		s.want, s.trimmed = s.pending.content, s.pending.trimmed
	}
	s.pending = nil
}

// writeLater commits what was begun before, after whatever has happened since; or discards it.
func (s *modelled) writeLater(t *rapid.T) {
	if s.pending == nil {
		return
	}
	if rapid.Bool().Draw(t, "discard") {
		if err := s.pending.Discard(t.Context()); err != nil {
			t.Fatalf("discard: %v", err)
		}
		s.pending = nil
		return
	}
	s.commit(t, true)
}

func (s *modelled) delete(t *rapid.T) {
	if err := s.log.Delete(t.Context(), s.name); err != nil {
		t.Fatalf("delete: %v", err)
	}
	s.want, s.trimmed, s.pending = history{index: map[string]eventstore.Version{}}, nil, nil
}

// tail follows the stream from somewhere to its head.
func (s *modelled) tail(t *rapid.T) {
	head, floor := s.want.head().Version, s.want.floor.Version
	if head == 0 {
		return
	}
	after := eventstore.Version(rapid.IntRange(0, int(head)-1).Draw(t, "after"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	at := after
	for event, err := range s.log.Tail(ctx, s.name, after) {
		if after < floor {
			if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); !ok || trimmed.First != floor+1 {
				t.Fatalf("tail after %d: %v, %v, want it to begin with version %d", after, event, err, floor+1)
			}
			return
		}
		if err != nil || event.Version != at+1 || event.Position() != s.want.events[at-floor].Position() {
			t.Fatalf("tail after %d: %v, %v", at, event, err)
		}
		if at = event.Version; at == head {
			return
		}
	}
}

// check compares all that can be read with the model.
func (s *modelled) check(t *rapid.T) {
	want := &s.want
	if head, err := s.log.Head(t.Context(), s.name); err != nil || head != want.head() {
		t.Fatalf("head: %v, %v, want %v", head, err, want.head())
	}
	if base, err := s.m.Base(t.Context(), s.name); err != nil || base.Position != want.base.Position || string(base.Data) != string(want.base.Data) {
		t.Fatalf("base: %v, %v, want %v", base, err, want.base)
	}
	events, err := s.log.Read(t.Context(), s.name, want.floor.Version, 1000)
	if err == nil {
		err = eventstore.VerifyChain(s.name, want.floor, events)
	}
	if err != nil || len(events) != len(want.events) || len(events) > 0 && events[len(events)-1].Position() != want.head() {
		t.Fatalf("read after %d: %d events, %v, want %d", want.floor.Version, len(events), err, len(want.events))
	}
	if at := want.floor.Version; at > 0 {
		trimmed, ok := errors.AsType[*eventstore.TrimmedError](errorOf(s.log.Read(t.Context(), s.name, at-1, 10)))
		if !ok || trimmed.First != at+1 {
			t.Fatalf("read after %d: %v, want it to begin with version %d", at-1, trimmed, at+1)
		}
	}
	index := map[string]eventstore.Version{}
	for page, err := range s.m.Index(t.Context(), s.name) {
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(index, page)
	}
	if !maps.Equal(index, want.index) {
		t.Fatalf("index: %v, want %v", index, want.index)
	}
}

func errorOf(_ []eventstore.Event, err error) error { return err }
