package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

//go:embed lua/swap.lua
var swapSource string

var swapScript = rueidis.NewLuaScript(positionSource + writesSource + swapSource)

const (
	swapTries       = 10   // while the read models move
	discardedAtOnce = 1000 // keys
)

// staged are read models in the making: keys beside those that are served.
type staged struct {
	models *Models
	graph  string
	token  string
	to     projection.Checkpoint

	beside []string // keys that are staged
	served []string // the keys in whose place they go
	linked []link   // sets to write anew
	gone   []string // keys to remove

	from     *eventstore.Position // where the read models have to be; nil: anywhere
	contents *projection.Contents // what was staged, if they may be anywhere
}

// link is a set, and what it is to hold.
type link struct {
	key string
	ids []string
}

// Swap implements projection.Staged.
func (s *staged) Swap(ctx context.Context, update *projection.Update) error {
	if update != nil && update.Reset {
		return fmt.Errorf("swap of %q: an update that leads on resets nothing", s.graph)
	}
	if s.from != nil {
		return s.swap(ctx, *s.from, s.gone, update)
	}
	for try := 1; ; try++ {
		from, gone, err := s.live(ctx)
		if err == nil {
			err = s.swap(ctx, from, gone, update)
		}
		if !errors.Is(err, errMoved) || try == swapTries {
			return err
		}
	}
}

// live returns where the read models are, and what is to go then.
func (s *staged) live(ctx context.Context) (eventstore.Position, []string, error) {
	read, err := s.models.read(ctx, s.graph, s.models.hashes(s.graph)[state:nodes+1], nil)
	if err != nil {
		return eventstore.Position{}, nil, err
	}
	var known []string
	for node := range read[nodes].all {
		known = append(known, node)
	}
	for node := range s.contents.Nodes {
		known = append(known, node)
	}
	return read[state].position(), slices.Concat(s.gone, s.without(s.contents, known)), nil
}

// errMoved matches a swap of read models that are elsewhere.
var errMoved = fmt.Errorf("%w since it was read", projection.ErrStale)

// swapRefused are the answers of swap.lua.
var swapRefused = map[int64]error{
	0:  errMoved,
	-1: fmt.Errorf("%w: the log does not hold what was staged", projection.ErrStale),
	-2: fmt.Errorf("%w: the read models have come further", projection.ErrStale),
	-3: fmt.Errorf("%w: what was staged is gone", projection.ErrStale),
}

func (s *staged) swap(ctx context.Context, from eventstore.Position, gone []string, update *projection.Update) error {
	to := &s.to
	if update != nil {
		to = &update.To
	}
	keys := s.models.keys
	w := writes{keys: slices.Concat([]string{keys.State(s.graph), keys.Events(s.graph), keys.Absent(s.graph)}, s.beside, s.served, gone)}
	w.args = append([]string{version(from.Version), string(from.Hash)}, stateValues(to)...)
	w.args = append(w.args, strconv.Itoa(len(s.beside)), strconv.Itoa(len(gone)+len(s.linked)))
	for _, link := range s.linked { // each is removed first, and then written
		w.write("SADD", link.key, link.ids...)
	}
	if update != nil {
		s.models.encodeUpdate(&w, s.graph, update)
	}
	ctx, cancel := s.models.deadline(ctx)
	defer cancel()
	answer, err := swapScript.Exec(ctx, s.models.client, w.keys, w.args).AsInt64()
	if err != nil {
		return failed(err, "swap", s.graph)
	}
	if err := swapRefused[answer]; err != nil {
		return fmt.Errorf("swap of %q at version %d: %w", s.graph, to.Version, err)
	}
	s.models.staging.remove(s)
	return nil
}

// Discard implements projection.Staged.
func (s *staged) Discard(ctx context.Context) error {
	for page := range slices.Chunk(s.beside, discardedAtOnce) {
		call, cancel := s.models.deadline(ctx)
		err := s.models.client.Do(call, s.models.client.B().Unlink().Key(page...).Build()).Error()
		cancel()
		if err != nil {
			return failed(err, "discard", s.graph)
		}
	}
	s.models.staging.remove(s)
	return nil
}
