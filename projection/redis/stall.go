package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

// Stall implements projection.ReadModels. The dead letters are no key of the graph, so it takes three steps: look,
// add the letter, note both. Whoever dies in between leaves a letter that the next call finds.
func (m *Models) Stall(ctx context.Context, graph string, from eventstore.Position, letter projection.DeadLetter) error {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	known, err := m.markStalled(ctx, graph, from, letter.Version, "")
	if err != nil {
		return err
	}
	if !known {
		args := []string{graph, version(letter.Version), letter.Cause, strconv.Itoa(letter.Attempts),
			rueidis.BinaryString(letter.Payload), strconv.FormatInt(letter.Time, 10)}
		if err := deadLetterScript.Exec(ctx, m.client, []string{m.keys.DeadLetters()}, args).Error(); err != nil {
			return failed(err, "dead letter", graph)
		}
	}
	_, err = m.markStalled(ctx, graph, from, letter.Version, letter.Cause)
	return err
}

// markStalled notes cause in the checkpoint, unless it is "", and tells whether the version has its dead letter.
func (m *Models) markStalled(ctx context.Context, graph string, from eventstore.Position, at eventstore.Version, cause string) (known bool, err error) {
	args := []string{version(from.Version), string(from.Hash), cause, version(at)}
	answer, err := stallScript.Exec(ctx, m.client, []string{m.keys.State(graph)}, args).AsInt64()
	if err != nil {
		return false, failed(err, "stall", graph)
	}
	if answer == 0 {
		return false, fmt.Errorf("stall of %q at version %d: %w", graph, from.Version, projection.ErrStale)
	}
	return answer == 2, nil
}
