package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"graphy/cmd/graphy/seed"
	"graphy/command"
	"graphy/transport"
)

// serveSettings adds what the operators' endpoints know of this process's own settings, and what they make with them.
func (n *node) serveSettings(services *transport.Services) {
	services.Config = func() []transport.Setting { return n.config.settings }
	services.Seed = n.seed
	if n.config.Tokens.Secret != "" {
		services.MintToken = func(request transport.TokenRequest) (transport.Token, error) {
			return n.config.Tokens.mint(request, time.Now())
		}
	}
}

// seedPatience is how long seeding waits for a process that is busy.
const seedPatience = time.Minute

// seed makes a demo graph through the API of clients of this process.
func (n *node) seed(ctx context.Context, request transport.SeedRequest, progress func(done, total int)) (transport.Seeded, error) {
	if n.verifier != nil && n.config.Tokens.Secret == "" {
		return transport.Seeded{}, errors.New("seed: there is no secret to make the users' tokens with (GRAPHY_JWT_SECRET)")
	}
	carrier := &inProcess{handler: n.server.Handler()}
	defer carrier.wait()
	s := &seeder{retrier: retrier{patience: seedPatience, wait: waitFor}, tell: progress, clients: func(user string) (*apiClient, error) {
		client := &apiClient{server: inProcessServer, graph: request.GraphID, user: user, http: &http.Client{Transport: carrier}}
		if n.verifier == nil {
			return client, nil
		}
		made, err := n.config.Tokens.mint(seedToken(user, request.GraphID), time.Now())
		client.token = made.Token
		return client, err
	}}
	seeded, err := s.run(ctx, request.GraphID, seed.History(seed.Options{Events: request.Events, Users: request.Users, Seed: request.Seed}))
	if errors.Is(err, errOtherHistory) {
		err = &command.Error{Code: command.AlreadyExists, Detail: err.Error()}
	}
	return seeded, err
}

// seedToken is what a user of a seeded graph needs.
func seedToken(user, graph string) transport.TokenRequest {
	return transport.TokenRequest{User: user, Graphs: map[string]string{graph: "owner"}, TTL: mostTTL.String()}
}
