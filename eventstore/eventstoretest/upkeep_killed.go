package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"graphy/eventstore"
)

// killer is a Maintainer whose user dies at one of its calls, before it is carried out or after.
type killer struct {
	eventstore.Maintainer
	left  int // calls until then
	after bool
}

var errKilled = errors.New("killed")

// call carries one call out, unless this is where the user dies.
func (k *killer) call(carryOut func() error) error {
	k.left--
	if k.left == 0 && !k.after || k.left < 0 {
		return errKilled
	}
	err := carryOut()
	if k.left == 0 {
		return errKilled
	}
	return err
}

func (k *killer) SetBase(ctx context.Context, stream string, base eventstore.Base) error {
	return k.call(func() error { return k.Maintainer.SetBase(ctx, stream, base) })
}

func (k *killer) Trim(ctx context.Context, stream string, oldest []eventstore.Event) error {
	return k.call(func() error { return k.Maintainer.Trim(ctx, stream, oldest) })
}

func (k *killer) Rewrite(ctx context.Context, stream string, base eventstore.Base) (r eventstore.Rewriting, err error) {
	err = k.call(func() (err error) { r, err = k.Maintainer.Rewrite(ctx, stream, base); return err })
	return &killedRewriting{r, k}, err
}

type killedRewriting struct {
	eventstore.Rewriting
	killer *killer
}

func (r *killedRewriting) Write(ctx context.Context, events []eventstore.Event) error {
	return r.killer.call(func() error { return r.Rewriting.Write(ctx, events) })
}

func (r *killedRewriting) Commit(ctx context.Context, expected eventstore.Position) (committed bool, err error) {
	err = r.killer.call(func() (err error) { committed, err = r.Rewriting.Commit(ctx, expected); return err })
	return committed, err
}

func (r *killedRewriting) Discard(ctx context.Context) error {
	return r.killer.call(func() error { return r.Rewriting.Discard(ctx) })
}

// killedAtEveryStep does act on a log of so many events, is killed at its first call, begins again, is killed at the
// second, and so on, before and after each; whole is checked each time it is.
func killedAtEveryStep(t *testing.T, log eventstore.Log, m eventstore.Maintainer,
	act func(m eventstore.Maintainer, history []eventstore.Event) error, whole, done func(history []eventstore.Event)) {
	history := Numbered(eventstore.Position{}, 60)
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			if err := log.Delete(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
			must(t, log, "g", eventstore.Position{}, history)
			err := act(&killer{Maintainer: m, left: at, after: after}, history)
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatalf("killed at call %d: %v", at, err)
			}
			whole(history)
			if head, err := log.Head(t.Context(), "g"); err != nil || head.Version != 60 {
				t.Fatalf("killed at call %d: head %v, %v", at, head, err)
			}
			if err := act(m, history); err != nil {
				t.Fatalf("again after call %d: %v", at, err)
			}
			done(history)
			if !errors.Is(err, errKilled) { // it had no more calls
				break
			}
		}
	}
}

func killedTrimming(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	act := func(m eventstore.Maintainer, history []eventstore.Event) error {
		if err := m.SetBase(t.Context(), "g", baseAt(history[39])); err != nil {
			return err
		}
		for from := 0; from < 40; from += 10 {
			if err := m.Trim(t.Context(), "g", history[from:from+10]); err != nil {
				return fmt.Errorf("trim from %d: %w", from, err)
			}
		}
		return nil
	}
	// What is left follows the floor without a hole, and the base reaches it.
	whole := func(history []eventstore.Event) {
		t.Helper()
		first := eventstore.Version(1)
		if _, err := log.Read(t.Context(), "g", 0, 1); err != nil {
			trimmed, ok := errors.AsType[*eventstore.TrimmedError](err)
			if !ok {
				t.Fatal(err)
			}
			first = trimmed.First
			wantBase(t, m, "g", baseAt(history[39]))
		}
		got, err := log.Read(t.Context(), "g", first-1, 100)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "what is left", got, history[first-1:])
		index := map[string]eventstore.Version{}
		for _, event := range history[first-1:] {
			index[event.Operations[0]] = event.Version
		}
		wantIndex(t, m, "g", index)
	}
	killedAtEveryStep(t, log, m, act, whole, func(history []eventstore.Event) {
		t.Helper()
		whole(history)
		_, err := log.Read(t.Context(), "g", 39, 1)
		wantTrimmed(t, "read", err, 41)
	})
}

func killedRewrite(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	act := func(m eventstore.Maintainer, history []eventstore.Event) error {
		content := skip(history, 30)
		head, err := log.Head(t.Context(), "g")
		if err != nil || head == content[59].Position() { // it was done before
			return err
		}
		r, err := m.Rewrite(t.Context(), "g", eventstore.Base{})
		for from := 0; from < 60 && err == nil; from += 20 {
			err = r.Write(t.Context(), content[from:from+20])
		}
		committed := false
		if err == nil {
			committed, err = r.Commit(t.Context(), head)
		}
		if err == nil && !committed {
			err = errors.New("the log has moved on")
		}
		if err == nil {
			err = r.Discard(t.Context())
		}
		return err
	}
	// It is the old history, or the new one.
	whole := func(history []eventstore.Event) {
		t.Helper()
		got, want := all(t, log, "g"), history
		if got[59].Hash != history[59].Hash {
			want = skip(history, 30)
		}
		same(t, "content", got, want)
	}
	killedAtEveryStep(t, log, m, act, whole, func(history []eventstore.Event) {
		t.Helper()
		same(t, "content", all(t, log, "g"), skip(history, 30))
		index := map[string]eventstore.Version{}
		for _, event := range history {
			index[event.Operations[0]] = event.Version
		}
		wantIndex(t, m, "g", index)
	})
}
