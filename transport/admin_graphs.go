package transport

import (
	"net/http"

	"graphy/command"
	"graphy/eventstore"
)

// filterScan is how many graphs are looked at for one page of those in some state.
const filterScan = 5000

// adminGraphs lists graphs with how they stand, by id: all, or those in one state. A page may be short, and yet not be the
// last one.
func (s *Server) adminGraphs(a *act) error {
	cursor, limit := a.q.cursor("cursor"), a.q.count("limit", defaultGraphs, maxGraphs)
	state := a.q.choice("state", GraphOK, GraphBehind, GraphParked, GraphBroken)
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	page := Graphs{Graphs: []GraphInfo{}}
	for scanned := 0; ; {
		count := limit
		if state != "" {
			count = max(limit, listPage)
		}
		names, err := s.services.Log.Streams(ctx, cursor, count)
		if err != nil {
			return err
		}
		infos, err := s.standings(ctx, names)
		if err != nil {
			return err
		}
		for i := range infos {
			info := &infos[i]
			if len(page.Graphs) == limit {
				page.Cursor = cursor
				return a.answer(page)
			}
			if cursor = info.GraphID; info.exists() && (state == "" || info.State == state) {
				page.Graphs = append(page.Graphs, *info)
			}
		}
		scanned += len(names)
		switch {
		case len(names) < count:
			return a.answer(page)
		case state == "" || scanned >= filterScan:
			page.Cursor = cursor
			return a.answer(page)
		}
	}
}

// exists tells graphs from names that were listed for a first event that never came.
func (g *GraphInfo) exists() bool {
	return g.Version > 0 || g.Checkpoint > 0 || g.State == GraphBroken || g.State == GraphParked
}

// adminDelete removes a graph with all that is kept of it, and with archive=true what the archive has of it.
func (s *Server) adminDelete(a *act) error {
	archived := a.q.set("archive")
	if s.services.Commands == nil {
		return missing("session of graphs (the role api is off)")
	}
	if archived && s.services.Archive == nil {
		return missing("archive")
	}
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.services.Commands.Delete(ctx, a.graph); err != nil {
		return err
	}
	s.states.forget(a.graph)
	s.tails.kept.Invalidate(a.graph)
	if archived {
		if err := s.services.Archive.Delete(ctx, a.graph); err != nil {
			return err
		}
	}
	if err := a.closeLetters(ctx, "the graph was deleted"); err != nil {
		return err
	}
	return a.context.NoContent(http.StatusNoContent)
}

// adminGraph answers all that is known of how a graph stands.
func (s *Server) adminGraph(a *act) error {
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	infos, err := s.standings(ctx, []string{a.graph})
	if err != nil {
		return err
	}
	if !infos[0].exists() {
		return refuse(command.NotFound, "there is no graph %q", a.graph)
	}
	detail := GraphDetail{GraphInfo: infos[0], Snapshots: []eventstore.Position{}}
	if err := s.describe(ctx, &detail); err != nil {
		return err
	}
	return a.answer(detail)
}
