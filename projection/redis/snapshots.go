package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

// listedAtOnce is how many entries of the index of snapshots are read together.
const listedAtOnce = 8

// Save implements projection.Snapshots.
func (m *Models) Save(ctx context.Context, graph string, s projection.Snapshot) error {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	keys := []string{m.keys.Events(graph), m.keys.Snapshots(graph), m.keys.Snapshot(graph, s.Version)}
	args := []string{version(s.Version), string(s.Hash), member(&s), rueidis.BinaryString(s.Data)}
	answer, err := snapshotScript.Exec(ctx, m.client, keys, args).AsInt64()
	if err != nil {
		return failed(err, "save snapshot", graph)
	}
	if answer == 0 {
		return fmt.Errorf("snapshot of %q at version %d, which is not in the log: %w", graph, s.Version, projection.ErrStale)
	}
	return nil
}

// Nearest implements projection.Snapshots.
func (m *Models) Nearest(ctx context.Context, graph string, at eventstore.Version) (projection.Snapshot, bool, error) {
	for passed := 0; ; passed += listedAtOnce {
		listed, more, err := m.listed(ctx, graph, at, passed, listedAtOnce)
		if err != nil {
			return projection.Snapshot{}, false, err
		}
		for _, s := range listed {
			s.Data, err = m.snapshot(ctx, graph, s.Version)
			if err != nil && !errors.Is(err, ErrDamaged) {
				return projection.Snapshot{}, false, err
			}
			if s.Data != nil {
				return s, true, nil
			}
		}
		if !more {
			return projection.Snapshot{}, false, nil
		}
	}
}

// NearestPosition implements projection.Snapshots.
func (m *Models) NearestPosition(ctx context.Context, graph string, at eventstore.Version) (eventstore.Position, error) {
	for passed := 0; ; passed++ {
		listed, more, err := m.listed(ctx, graph, at, passed, 1)
		switch {
		case err != nil:
			return eventstore.Position{}, err
		case len(listed) == 1:
			return listed[0].Position, nil
		case !more:
			return eventstore.Position{}, nil
		}
	}
}

// listed returns up to count snapshots at or before version at, without their data, as the index has them, newest first,
// and whether there may be more of them.
func (m *Models) listed(ctx context.Context, graph string, at eventstore.Version, passed, count int) (listed []projection.Snapshot, more bool, err error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	members, err := m.client.Do(ctx, m.client.B().Zrevrangebyscore().Key(m.keys.Snapshots(graph)).Max(version(at)).Min("1").
		Limit(int64(passed), int64(count)).Build()).AsStrSlice()
	if err != nil {
		return nil, false, failed(err, "list snapshots", graph)
	}
	for _, text := range members {
		if s, ok := parseMember(text); ok {
			listed = append(listed, s)
		}
	}
	return listed, len(members) == count, nil
}

// snapshot returns the data of a snapshot, nil if it is not there.
func (m *Models) snapshot(ctx context.Context, graph string, at eventstore.Version) ([]byte, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	data, err := m.client.Do(ctx, m.client.B().Get().Key(m.keys.Snapshot(graph, at)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return data, failed(err, "read snapshot", graph)
}

// members returns the whole index of a graph's snapshots, and the keys of the snapshots.
func (m *Models) members(ctx context.Context, graph string) (members, keys []string, err error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	listed, err := m.client.Do(ctx, m.client.B().Zrange().Key(m.keys.Snapshots(graph)).Min("0").Max("-1").Build()).AsStrSlice()
	if err != nil {
		return nil, nil, failed(err, "list snapshots", graph)
	}
	for _, text := range listed {
		s, _ := parseMember(text) // of one that nobody wrote there is no key, only the member to remove
		members, keys = append(members, text), append(keys, m.keys.Snapshot(graph, s.Version))
	}
	return members, keys, nil
}

// member is how the index lists s: all but its data.
func member(s *projection.Snapshot) string {
	return version(s.Version) + " " + string(s.Hash) + " " + s.Checksum.String()
}

func parseMember(text string) (s projection.Snapshot, ok bool) {
	parts := strings.Split(text, " ")
	if len(parts) != 3 {
		return s, false
	}
	number, err := strconv.ParseUint(parts[0], 10, 63)
	sum, failure := strconv.ParseUint(parts[2], 16, 64)
	if err != nil || failure != nil {
		return s, false
	}
	s.Version, s.Hash, s.Checksum = eventstore.Version(number), eventstore.Hash(parts[1]), projection.Checksum(sum)
	return s, true
}
