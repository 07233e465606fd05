package redis

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"graphy/eventstore"
)

// ErrDamaged matches keys that hold what no commit wrote. Rebuilding the graph's read models is the cure.
var ErrDamaged = errors.New("projection/redis: damaged read model")

// failed turns an error of the driver into one of ours; nil stays nil.
func failed(err error, what, graph string) error {
	if err == nil {
		return nil
	}
	class := eventstore.ErrUnavailable
	if answer, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(answer.Error(), "WRONGTYPE ") {
		class = ErrDamaged
	}
	return fmt.Errorf("%s of %q: %w: %w", what, graph, class, err)
}

func damaged(graph, format string, args ...any) error {
	return fmt.Errorf("graph %q: %w: %s", graph, ErrDamaged, fmt.Sprintf(format, args...))
}
