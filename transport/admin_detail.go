package transport

import (
	"context"
)

// detailMost is how many snapshots and clients are listed of one graph.
const detailMost = 100

// describe adds to detail what there is to know of a graph beside how it stands. What cannot be read of it is left out;
// it fails where the stores are out of reach.
func (s *Server) describe(ctx context.Context, detail *GraphDetail) error {
	graph := detail.GraphID
	for _, add := range []func(context.Context, *GraphDetail) error{s.addStats, s.addBase, s.addSnapshots, s.addArchive} {
		if err := add(ctx, detail); err != nil && isAway(err) {
			return err
		}
	}
	page, err := s.sessionsOf(ctx, sessionFilter{graph: graph, limit: detailMost})
	detail.Clients = page.Sessions
	return err
}

func (s *Server) addStats(ctx context.Context, detail *GraphDetail) error {
	stats, err := s.services.Models.Stats(ctx, detail.GraphID)
	if err == nil {
		detail.Stats = &GraphStats{Version: stats.Version, Events: stats.Events, ByType: stats.ByType, Completed: stats.Completed}
	}
	return err
}

func (s *Server) addBase(ctx context.Context, detail *GraphDetail) error {
	if s.services.Maintainer == nil {
		return nil
	}
	base, err := s.services.Maintainer.Base(ctx, detail.GraphID)
	if err == nil && base.Version > 0 {
		detail.Base = &base.Position
	}
	return err
}

func (s *Server) addSnapshots(ctx context.Context, detail *GraphDetail) error {
	if s.services.Snapshots == nil {
		return nil
	}
	for at := detail.Version; at > 0 && len(detail.Snapshots) < detailMost; {
		position, err := s.services.Snapshots.NearestPosition(ctx, detail.GraphID, at)
		if err != nil || position.Version == 0 || position.Version > at {
			return err
		}
		detail.Snapshots = append(detail.Snapshots, position)
		at = position.Version - 1
	}
	return nil
}

func (s *Server) addArchive(ctx context.Context, detail *GraphDetail) (err error) {
	if s.services.Archive != nil {
		detail.Archive, err = s.archived(ctx, detail.GraphID)
	}
	return err
}
