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

// commitFailed is failed for the commit script: what it comes upon that has no code (the driver takes ERR off) is a field
// that is no number.
func commitFailed(err error, graph string) error {
	if answer, ok := rueidis.IsRedisErr(err); ok {
		if code, _, _ := strings.Cut(answer.Error(), " "); code != strings.ToUpper(code) {
			return fmt.Errorf("commit of %q: %w: %w", graph, ErrDamaged, err)
		}
	}
	return failed(err, "commit", graph)
}

func damaged(graph, format string, args ...any) error {
	return fmt.Errorf("graph %q: %w: %s", graph, ErrDamaged, fmt.Sprintf(format, args...))
}
