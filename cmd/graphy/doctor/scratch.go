package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore/redis"
)

const (
	// scratchPrefix goes before the keys that are written to try things, behind the configured prefix.
	scratchPrefix = "doctor:"
	scratchLife   = time.Minute // after which they go away should nobody be left to remove them
)

// scratchKeys are those of a keyspace that nobody else uses.
func (l *look) scratchKeys() redis.Keys {
	return redis.Keys{Prefix: l.keys.Prefix + scratchPrefix + ulid.Make().String() + ":"}
}

// clear removes the keys that a round trip may have left.
func (l *look) clear(ctx context.Context, keys []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.Timeout)
	defer cancel()
	client := l.opts.Client
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = client.B().Unlink().Key(key).Build()
	}
	for _, result := range client.DoMulti(ctx, commands...) {
		err := result.Error()
		if _, refused := missingRight(err); err == nil || refused { // then there is nothing to remove
			continue
		}
		l.opts.Logger.Warn("what was written to try things may be left behind, for a while", zap.String("prefix", keys[0]), zap.Error(err))
		return err
	}
	return nil
}

// mortal has keys go away by themselves.
func (l *look) mortal(ctx context.Context, keys []string) error {
	client := l.opts.Client
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = client.B().Pexpire().Key(key).Milliseconds(scratchLife.Milliseconds()).Build()
	}
	for _, result := range client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			return fmt.Errorf("have scratch keys go away: %w", err)
		}
	}
	return nil
}

// tried is the outcome of a round trip: what failed of it, in words.
type tried struct {
	steps    int
	failures []string
	rule     string // what to do if a right is missing
}

// step notes the outcome of one step. Later ones are tried all the same: what they need may be there.
func (t *tried) step(name string, err error) {
	t.steps++
	if err == nil {
		return
	}
	if rule, refused := missingRight(err); refused {
		t.rule = rule
	}
	t.failures = append(t.failures, fmt.Sprintf("%s: %v", name, err))
}

// expect is a step whose answer is to be right.
func (t *tried) expect(name string, err error, right bool) {
	if err == nil && !right {
		err = errors.New("the answer is wrong")
	}
	t.step(name, err)
}

func (t *tried) text() string { return strings.Join(t.failures, "; ") }
