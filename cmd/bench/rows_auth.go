package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"graphy/transport/auth"
)

const (
	tokenGraphs = 20 // that a token grants something on
	tokenLimit  = 3 * time.Microsecond
	tokensSeen  = 1000
)

// gate lets in who has a token that grants what a command needs.
type gate struct {
	verifier *auth.Verifier
	secret   []byte
}

func newGate() (*gate, error) {
	secret := rand.Text() + rand.Text()
	verifier, err := auth.New(auth.Options{Secret: secret})
	return &gate{verifier: verifier, secret: []byte(secret)}, err
}

// tokens makes so many tokens of different users.
func (g *gate) tokens(count int) ([]string, error) {
	grants := map[string]string{}
	for i := range tokenGraphs {
		grants[grantedGraph(i)] = auth.Editor.String()
	}
	tokens := make([]string, count)
	for i := range tokens {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": fmt.Sprintf("user-%d", i), "graphs": grants, "exp": time.Now().Add(time.Hour).Unix()})
		var err error
		if tokens[i], err = token.SignedString(g.secret); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

func grantedGraph(i int) string { return fmt.Sprintf("bench-granted-%02d", i) }

// check is what each command costs.
func (g *gate) check(ctx context.Context, token string) error {
	principal, err := g.verifier.Verify(ctx, token)
	if err == nil && principal.Role(grantedGraph(0)) < auth.Editor {
		err = errors.New("an editor's token grants less")
	}
	return err
}

// authRow: the CPU time that the token and the role of a command cost, in this process: of tokens that were never seen, and
// of the same in turns, which were.
func authRow(ctx context.Context, l *lab) ([]line, error) {
	g, err := newGate()
	if err != nil {
		return nil, err
	}
	tokens, err := g.tokens(tokensSeen)
	if err != nil {
		return nil, err
	}
	first, err := g.time(ctx, tokens, 0)
	if err != nil {
		return nil, err
	}
	later, err := g.time(ctx, tokens, l.opts.span)
	if err != nil {
		return nil, err
	}
	return []line{
		{what: fmt.Sprintf("check of a token of %d bytes (HS256) and of a role, at first", len(tokens[0])), figure: micros(first)},
		{what: fmt.Sprintf("the same when it was seen before, %s tokens in turns", thousands(tokensSeen)), figure: micros(later),
			target: "< 3 µs", met: later < tokenLimit},
	}, nil
}

// time checks tokens, all of them at least once and in turns for a span, and returns the CPU time of one check.
func (g *gate) time(ctx context.Context, tokens []string, span time.Duration) (time.Duration, error) {
	checks := 0
	used := ownTime()
	for begun := time.Now(); checks == 0 || time.Since(begun) < span; checks += len(tokens) {
		for _, token := range tokens {
			if err := g.check(ctx, token); err != nil {
				return 0, err
			}
		}
	}
	return (ownTime() - used) / time.Duration(checks), ctx.Err()
}

func micros(d time.Duration) string { return fmt.Sprintf("%.2f µs", float64(d.Nanoseconds())/1000) }
