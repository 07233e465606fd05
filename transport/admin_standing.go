package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"graphy/eventstore"
	"graphy/projection"
)

// standingReaders is how many graphs are looked at at a time.
const standingReaders = 8

// standings returns how graphs stand. It fails where the stores are out of reach; what cannot be read of one graph is
// told of it alone.
func (s *Server) standings(ctx context.Context, names []string) ([]GraphInfo, error) {
	checkpoints, failure := s.services.Models.Checkpoints(ctx, names)
	if failure != nil && isAway(failure) {
		return nil, failure
	}
	infos := make([]GraphInfo, len(names))
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(standingReaders)
	for i, name := range names {
		readers.Go(func() (err error) {
			var checkpoint projection.Checkpoint
			if failure == nil {
				checkpoint = checkpoints[i]
			} else if checkpoint, err = s.services.Models.Checkpoint(ctx, name); err != nil && isAway(err) {
				return err
			}
			infos[i], err = s.standing(ctx, name, checkpoint, err)
			return err
		})
	}
	return infos, readers.Wait()
}

// isAway tells whether a store is out of reach, as opposed to what it holds being damaged.
func isAway(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknown) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// standing returns how a graph stands whose read models are at checkpoint, or where that could not be read.
func (s *Server) standing(ctx context.Context, graph string, checkpoint projection.Checkpoint, unreadable error) (GraphInfo, error) {
	info := GraphInfo{GraphID: graph, Checkpoint: checkpoint.Version, Nodes: checkpoint.Nodes, Edges: checkpoint.Edges,
		LastModified: checkpoint.LastModified, State: GraphOK}
	head, err := s.services.Log.Head(ctx, graph)
	if err == nil {
		info.Version = head.Version
		info.First, err = s.firstKept(ctx, graph, head.Version)
	}
	switch {
	case err != nil && isAway(err):
		return info, err
	case err != nil:
		info.State, info.Cause = GraphBroken, "the log cannot be read: "+causeOf(err)
	case unreadable != nil:
		info.State, info.Cause = GraphBroken, "where the read models stand cannot be read: a rebuild makes them anew"
	case checkpoint.Stalled != "":
		info.State, info.Cause = GraphParked, checkpoint.Stalled
	case head.Version < checkpoint.Version || head.Version == checkpoint.Version && head != checkpoint.Position:
		if again, err := s.services.Models.Checkpoint(ctx, graph); err == nil && again.Position != checkpoint.Position {
			return s.standing(ctx, graph, again, nil) // it was deleted, or rebuilt, between the two looks
		}
		info.State, info.Cause = GraphBroken, fmt.Sprintf("the read models stand at version %d of a history that the log does not hold", checkpoint.Version)
	case head.Version > checkpoint.Version:
		info.State = GraphBehind
	}
	if head.Version > checkpoint.Version {
		info.Lag = uint64(head.Version - checkpoint.Version)
		info.LagSeconds = s.lagSince(ctx, graph, checkpoint.Version)
	}
	if s.services.Sizes != nil {
		if bytes, err := s.services.Sizes(ctx, graph); err == nil {
			info.Bytes = &bytes
		}
	}
	return info, nil
}

// causeOf returns in words why a log cannot be read.
func causeOf(err error) string {
	if broken, ok := errors.AsType[*eventstore.ChainError](err); ok {
		return fmt.Sprintf("version %d: %s", broken.Version, broken.Reason)
	}
	return "it is damaged, verify says how"
}

// firstKept returns the oldest event that the log itself keeps, whatever the archive has.
func (s *Server) firstKept(ctx context.Context, graph string, head eventstore.Version) (eventstore.Version, error) {
	if head == 0 {
		return 0, nil
	}
	log := s.services.Log
	if itself, ok := s.services.Maintainer.(eventstore.Log); ok {
		log = itself
	}
	page, err := log.Read(ctx, graph, 0, 1)
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		return trimmed.First, nil
	}
	if err != nil || len(page) == 0 {
		return 0, err
	}
	return page[0].Version, nil
}

// lagSince returns for how many seconds the event after a version has waited; 0 if that cannot be told.
func (s *Server) lagSince(ctx context.Context, graph string, version eventstore.Version) float64 {
	page, err := s.services.Log.Read(ctx, graph, version, 1)
	if err != nil || len(page) == 0 {
		return 0
	}
	var written int64
	for _, name := range []string{"writtenAt", "timestamp"} {
		if number := projection.Member(page[0].Data, name); number != nil && written == 0 {
			written = wholeNumber(number)
		}
	}
	if written == 0 {
		return 0
	}
	return max(0, float64(time.Now().UnixMilli()-written)/1000)
}

// wholeNumber returns a number of JSON; 0 if it is none.
func wholeNumber(value jsontext.Value) (number int64) {
	for _, c := range value {
		if c < '0' || c > '9' || number > maxVersion {
			return 0
		}
		number = number*10 + int64(c-'0')
	}
	return number
}
