package transport

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"graphy/command"
	"graphy/projection/upkeep"
	"graphy/transport/auth"
)

// adminDoctor answers what a look at the whole installation finds.
func (s *Server) adminDoctor(a *act) error {
	if s.services.Doctor == nil {
		return missing("doctor")
	}
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	diagnosis, err := s.services.Doctor(ctx)
	if err != nil {
		return err
	}
	return a.answer(diagnosis)
}

// adminConfig answers what the process goes by.
func (s *Server) adminConfig(a *act) error {
	if s.services.Config == nil {
		return missing("list of settings")
	}
	if err := a.q.done(); err != nil {
		return err
	}
	settings := slices.Clone(s.services.Config())
	for i := range settings {
		if settings[i].Secret && settings[i].Value != "" {
			settings[i].Value = hidden
		}
	}
	return a.answer(struct {
		Settings []Setting `json:"settings"`
	}{settings})
}

// hidden stands for the value of a secret.
const hidden = "***"

// adminToken makes a token.
func (s *Server) adminToken(a *act) error {
	if s.services.MintToken == nil {
		return missing("secret to sign tokens with (GRAPHY_JWT_SECRET)")
	}
	var request TokenRequest
	if err := a.body(&request); err != nil {
		return err
	}
	if !auth.IsUser(request.User) {
		return refuseField("/user", "is not 1 to 128 bytes of printable UTF-8")
	}
	for graph, role := range request.Graphs {
		if graph != auth.EveryGraph && command.CheckID(graph, "") != nil {
			return refuseField("/graphs", "%.128q is neither the id of a graph nor *", graph)
		}
		if auth.ParseRole(role) == auth.None {
			return refuseField("/graphs/"+strings.ReplaceAll(graph, "~", "~0"), "%.64q is not viewer, editor or owner", role)
		}
	}
	if _, err := request.Lifetime(); err != nil {
		return err
	}
	a.note(zap.String("for", request.User), zap.Bool("admin", request.Admin), zap.Any("grants", request.Graphs))
	token, err := s.services.MintToken(request)
	if err != nil {
		return err
	}
	a.note(zap.Time("expires", time.UnixMilli(token.Expires)))
	return a.answer(token)
}

const (
	seedEvents = 100_000 // events of a demo graph at most
	seedUsers  = 1000    // and users
)

// adminSeed makes a demo graph.
func (s *Server) adminSeed(a *act) error {
	if s.services.Seed == nil {
		return missing("way to make demo graphs")
	}
	var request SeedRequest
	if err := a.body(&request); err != nil {
		return err
	}
	if err := command.CheckID(request.GraphID, "/graphId"); err != nil {
		return err
	}
	a.graph = request.GraphID
	switch {
	case request.Events < 0 || request.Events > seedEvents:
		return refuseField("/events", "is not from 1 to %d", seedEvents)
	case request.Users < 0 || request.Users > seedUsers:
		return refuseField("/users", "is not from 1 to %d", seedUsers)
	}
	ctx, leave, err := a.long()
	if err != nil {
		return err
	}
	defer leave()
	r := a.newReport()
	return r.end(becauseOf(ctx, r.watch(ctx, func(ctx context.Context, tell *teller) error {
		seeded, err := s.services.Seed(ctx, request, func(done, total int) {
			tell.progress(upkeep.Progress{Done: done, Total: total, Events: int64(done)})
		})
		if err != nil {
			return err
		}
		return tell.result(ctx, seeded, "seeded")
	})))
}
