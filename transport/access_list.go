package transport

import (
	"context"
	"slices"

	"graphy/transport/auth"
)

// listPage is the least number of graphs that is read at a time where some of them are passed over.
const listPage = 100

// readable returns the ids of graphs that the principal may read, in their order: those after cursor, at most limit, and
// whether there are more. Nothing of it tells of others, so a cursor is made of what was listed alone. Some of the ids
// may have no graph.
func (s *Server) readable(ctx context.Context, principal *auth.Principal, cursor string, limit int) (names []string, more bool, err error) {
	if principal.Grants[auth.EveryGraph] < auth.Viewer {
		names = grantedAfter(principal, cursor)
		return names[:min(limit, len(names))], len(names) > limit, nil
	}
	count := max(limit+1, listPage)
	for {
		page, err := s.services.Log.Streams(ctx, cursor, count)
		if err != nil {
			return nil, false, err
		}
		for _, name := range page {
			if principal.Role(name) < auth.Viewer {
				continue
			}
			if len(names) == limit {
				return names, true, nil
			}
			names = append(names, name)
		}
		if len(page) < count {
			return names, false, nil
		}
		cursor = page[count-1]
	}
}

// grantedAfter returns the graphs after cursor that were granted one by one.
func grantedAfter(principal *auth.Principal, cursor string) []string {
	var names []string
	for name, role := range principal.Grants {
		if role >= auth.Viewer && name != auth.EveryGraph && name > cursor {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
