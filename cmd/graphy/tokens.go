package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"graphy/transport/auth"
)

// tokens say how callers prove who they are. With neither a secret nor a JWKS nobody does: development mode.
type tokens struct {
	Secret   string        `env:"JWT_SECRET"`
	JWKSURL  string        `env:"JWKS_URL"`
	Audience string        `env:"JWT_AUDIENCE"`
	Issuer   string        `env:"JWT_ISSUER"`
	Leeway   time.Duration `env:"JWT_LEEWAY" envDefault:"30s"`
}

func (t *tokens) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.Secret, "jwt-secret", t.Secret,
		"HS256 secret of tokens, or @file; a flag shows in the list of processes, so better the variable (GRAPHY_JWT_SECRET)")
	flags.StringVar(&t.JWKSURL, "jwks-url", t.JWKSURL, "where the keys of tokens are published, https (GRAPHY_JWKS_URL)")
	flags.StringVar(&t.Audience, "jwt-audience", t.Audience, "what a token's aud has to hold; empty: anything (GRAPHY_JWT_AUDIENCE)")
	flags.StringVar(&t.Issuer, "jwt-issuer", t.Issuer, "what a token's iss has to be; empty: anything (GRAPHY_JWT_ISSUER)")
	flags.DurationVar(&t.Leeway, "jwt-leeway", t.Leeway, "how far clocks may differ, at most 60s (GRAPHY_JWT_LEEWAY)")
	flags.Lookup("jwt-secret").DefValue = "" // help would show it
}

// areOff tells whether the server runs in development mode.
func (t *tokens) areOff() bool { return t.Secret == "" && t.JWKSURL == "" }

// check refuses settings that would be of no effect, as somebody relies on them.
func (t *tokens) check() error {
	if t.areOff() && (t.Audience != "" || t.Issuer != "") {
		return errors.New("GRAPHY_JWT_AUDIENCE and GRAPHY_JWT_ISSUER restrict tokens, but there are none: " +
			"set GRAPHY_JWT_SECRET or GRAPHY_JWKS_URL too")
	}
	return nil
}

// verifier returns what checks tokens, nil in development mode.
func (t *tokens) verifier(logger *zap.Logger) (*auth.Verifier, error) {
	if t.areOff() {
		return nil, nil
	}
	secret, err := t.secret()
	if err != nil {
		return nil, err
	}
	verifier, err := auth.New(auth.Options{Secret: secret, JWKSURL: t.JWKSURL, Audience: t.Audience, Issuer: t.Issuer,
		Leeway: cmp.Or(t.Leeway, 1), Logger: logger}) // an option of 0 is the default
	if err != nil {
		return nil, fmt.Errorf("check GRAPHY_JWT_SECRET, GRAPHY_JWKS_URL and GRAPHY_JWT_LEEWAY: %w", err)
	}
	return verifier, nil
}

// secret returns the secret, or what is in the file that it names; "" if there is none.
func (t *tokens) secret() (string, error) {
	file, named := strings.CutPrefix(t.Secret, "@")
	if !named {
		return t.Secret, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("GRAPHY_JWT_SECRET: %w", err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

// words says who may call, for the start-up text.
func (t *tokens) words() string {
	switch {
	case t.areOff():
		return "development mode: no tokens, everybody on this machine may do everything (so it listens on loopback only)"
	case t.Secret == "":
		return "bearer tokens, checked with the keys at " + redacted(t.JWKSURL)
	case t.JWKSURL == "":
		return "bearer tokens, checked with a secret"
	}
	return "bearer tokens, checked with a secret or the keys at " + redacted(t.JWKSURL)
}
