package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"

	"github.com/oklog/ulid/v2"
	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore"
)

//go:embed lua/stage.lua
var stageSource string

//go:embed lua/rewrite.lua
var rewriteSource string

var (
	stageScript   = rueidis.NewLuaScript(stageSource)
	rewriteScript = rueidis.NewLuaScript(rewriteSource)
)

// stagePage is how many events go into new content at once.
const stagePage = 500

// What the rewrite script answers.
const (
	rewriteMoved int64 = iota
	rewriteDone
	rewriteGone
)

var (
	errNothingWritten = errors.New("nothing was written")
	errRewritingGone  = errors.New("what was written of the new content is gone: begin again")
)

// rewriting is new content for a stream, under keys of its own. They live for as long as Options say after they were
// added to.
type rewriting struct {
	store  *Store
	stream string
	token  string
	based  bool
	head   eventstore.Position                    // of what was written
	pages  map[eventstore.Version]eventstore.Hash // the ends of what was written at once
}

// Rewrite implements eventstore.Maintainer.
func (s *Store) Rewrite(ctx context.Context, stream string, base eventstore.Base) (eventstore.Rewriting, error) {
	r := &rewriting{store: s, stream: stream, token: ulid.Make().String(), based: base.Version > 0, head: base.Position,
		pages: map[eventstore.Version]eventstore.Hash{}}
	if !r.based {
		return r, nil
	}
	args := append(r.stageArgs(base.Position, nil), rueidis.BinaryString(base.Data))
	if err := r.stage(ctx, args); err != nil {
		return nil, err
	}
	return r, nil
}

// Write implements eventstore.Rewriting.
func (r *rewriting) Write(ctx context.Context, events []eventstore.Event) error {
	for len(events) > 0 {
		page := events[:min(len(events), stagePage)]
		events = events[len(page):]
		end := page[len(page)-1].Position()
		if hash, written := r.pages[end.Version]; written && hash == end.Hash { // by a call that failed later
			continue
		}
		if err := eventstore.VerifyChain(r.stream, r.head, page); err != nil {
			return err
		}
		if err := r.stage(ctx, r.stageArgs(r.head, page)); err != nil {
			return err
		}
		r.head, r.pages[end.Version] = end, end.Hash
	}
	return nil
}

// stageArgs lays the arguments out as stage.lua wants them. They alias the events' data.
func (r *rewriting) stageArgs(after eventstore.Position, events []eventstore.Event) []string {
	operations := appendOperations(nil, events)
	args := make([]string, 0, 7+2*len(events)+len(operations))
	args = append(args, r.token, strconv.FormatInt(r.store.opts.Keep.Milliseconds(), 10),
		decimal(after.Version), string(after.Hash), strconv.Itoa(len(events)), operations[0])
	for _, event := range events {
		args = append(args, rueidis.BinaryString(event.Data), string(event.Hash))
	}
	return append(args, operations[1:]...)
}

func (r *rewriting) stage(ctx context.Context, args []string) error {
	keys := append(r.parts("events", "operations", "base"), r.store.keys.Rewrites(r.stream))
	added := false
	err := r.store.write(ctx, "rewrite", r.stream, func() (err error) {
		added, err = stageScript.Exec(ctx, r.store.client, keys, args).AsBool()
		return err
	})
	if err == nil && !added {
		err = r.gone()
	}
	return err
}

func (r *rewriting) gone() error {
	return fmt.Errorf("rewrite %q: %w: %w", r.stream, eventstore.ErrUnavailable, errRewritingGone)
}

func (r *rewriting) parts(names ...string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = r.store.keys.Rewrite(r.stream, r.token, name)
	}
	return keys
}

// Commit implements eventstore.Rewriting.
func (r *rewriting) Commit(ctx context.Context, expected eventstore.Position) (bool, error) {
	if r.head.Version == 0 {
		return false, fmt.Errorf("rewrite %q: %w", r.stream, errNothingWritten)
	}
	s := r.store
	if err := s.mark(ctx, r.stream, true); err != nil { // before it can be seen, as before an append
		return false, err
	}
	keys := append([]string{s.keys.Events(r.stream), s.keys.Operations(r.stream), s.keys.Base(r.stream)},
		r.parts("events", "operations", "base", "done")...)
	based := "0"
	if r.based {
		based = "1"
	}
	args := []string{decimal(expected.Version), string(expected.Hash), decimal(r.head.Version), string(r.head.Hash), based,
		strconv.FormatInt(s.opts.Keep.Milliseconds(), 10), s.feeds.publish(), s.keys.EventsChannel(r.stream),
		s.keys.AppendsChannel(), doorbell{s.sender, r.head.Version, r.stream}.String()}
	var answer int64
	err := s.write(ctx, "rewrite", r.stream, func() (err error) {
		answer, err = rewriteScript.Exec(ctx, s.client, keys, args).AsInt64()
		return err
	})
	switch {
	case err != nil:
		return false, err
	case answer == rewriteGone:
		return false, r.gone()
	case answer == rewriteMoved:
		return false, nil
	}
	s.notify.put(eventstore.Notice{Stream: r.stream, Head: r.head.Version})
	s.opts.Logger.Info("stream was rewritten", zap.String("graphId", r.stream), zap.Uint64("version", uint64(r.head.Version)))
	return true, nil
}

// Discard implements eventstore.Rewriting.
func (r *rewriting) Discard(ctx context.Context) error {
	s := r.store
	return s.write(ctx, "discard new content of", r.stream, func() error {
		results := s.client.DoMulti(ctx,
			s.client.B().Unlink().Key(r.parts("events", "operations", "base", "done")...).Build(),
			s.client.B().Srem().Key(s.keys.Rewrites(r.stream)).Member(r.token).Build())
		return errors.Join(results[0].Error(), results[1].Error())
	})
}
