package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/cobra"

	"graphy/cmd/graphy/graphfile"
	"graphy/transport"
	"graphy/transport/auth"
)

const (
	usualTTL = time.Hour
	mostTTL  = 24 * time.Hour // unless somebody insists
)

func (c *cli) tokenCommand() *cobra.Command {
	request := transport.TokenRequest{}
	var grants []string
	var ttl time.Duration
	long := false
	cmd := &cobra.Command{
		Use:   "token --user NAME",
		Short: "Make a token, for development and for operators",
		Long: `Make a token (JWT, HS256) that a server with the same GRAPHY_JWT_SECRET believes, with the audience and the issuer that it
wants (GRAPHY_JWT_AUDIENCE, GRAPHY_JWT_ISSUER), and print it, alone, on standard output. It needs no server. A secret that
serve would refuse is refused here too. A token cannot be taken back before it ends.

Exit codes: 2 if there is no secret, or a weak one; see graphy help exit-codes.`,
		Example: "  export GRAPHY_TOKEN=$(graphy token --user ops --admin)\n" +
			"  graphy token --user ada --graph demo=editor --graph '*=viewer' --ttl 8h",
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) (err error) {
			if request.Graphs, err = parseGrants(grants); err != nil {
				return err
			}
			switch {
			case !auth.IsUser(request.User):
				return errors.New("--user is missing, or is not 1 to 128 bytes of printable text")
			case ttl < time.Second:
				return fmt.Errorf("--ttl %v: it is a duration like 1h", ttl)
			case ttl > mostTTL && !long:
				return fmt.Errorf("--ttl %v is more than %v, and a token cannot be taken back: give --long too if it is meant", ttl, mostTTL)
			}
			request.TTL = ttl.String()
			if _, err := request.Lifetime(); err != nil {
				return fmt.Errorf("--ttl: %w", err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			var settings tokens
			if err := env.ParseWithOptions(&settings, env.Options{Prefix: "GRAPHY_"}); err != nil {
				return usageError{err}
			}
			token, err := settings.mint(request, c.now())
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token.Token)
			return err
		},
	}
	cmd.Flags().StringVar(&request.User, "user", "", "whom the token speaks for (required)")
	cmd.Flags().StringArrayVar(&grants, "graph", nil, "what they may do on a graph: ID=viewer, ID=editor or ID=owner; * for all graphs; may be repeated")
	cmd.Flags().BoolVar(&request.Admin, "admin", false, "they may use the operators' endpoints")
	cmd.Flags().DurationVar(&ttl, "ttl", usualTTL, "how long it is good; above 24h only with --long")
	cmd.Flags().BoolVar(&long, "long", false, "allow a --ttl above 24h, up to a year")
	return cmd
}

// parseGrants reads graph=role pairs.
func parseGrants(pairs []string) (map[string]string, error) {
	grants := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		i := strings.LastIndexByte(pair, '=')
		if i < 0 {
			return nil, fmt.Errorf("--graph %q is not ID=ROLE", pair)
		}
		graph, role := pair[:i], pair[i+1:]
		if graph != auth.EveryGraph && !graphfile.ValidID(graph) {
			return nil, invalidID("--graph", graph)
		}
		if auth.ParseRole(role) == auth.None {
			return nil, fmt.Errorf("--graph %s: there is no role %q: it is viewer, editor or owner", graph, role)
		}
		if grants[graph] != "" {
			return nil, fmt.Errorf("--graph %s is given twice", graph)
		}
		grants[graph] = role
	}
	return grants, nil
}

var errNoSecret = errors.New("there is no secret to sign tokens with: set GRAPHY_JWT_SECRET as the server has it " +
	"(where it is unset the server runs in development mode and wants no tokens; with GRAPHY_JWKS_URL alone tokens come from elsewhere)")

// mint makes a token that these settings believe.
func (t *tokens) mint(request transport.TokenRequest, now time.Time) (transport.Token, error) {
	secret, err := t.secret()
	if err != nil {
		return transport.Token{}, err
	}
	if secret == "" {
		return transport.Token{}, errNoSecret
	}
	if _, err := auth.New(auth.Options{Secret: secret}); err != nil {
		return transport.Token{}, fmt.Errorf("GRAPHY_JWT_SECRET: %w", err)
	}
	ttl, err := request.Lifetime()
	if err != nil {
		return transport.Token{}, err
	}
	if ttl == 0 {
		ttl = usualTTL
	}
	expires := now.Add(ttl).Truncate(time.Second)
	claims := jwt.MapClaims{"sub": request.User, "iat": now.Unix(), "exp": expires.Unix()}
	if len(request.Graphs) > 0 {
		claims["graphs"] = request.Graphs
	}
	if request.Admin {
		claims["admin"] = true
	}
	if t.Audience != "" {
		claims["aud"] = t.Audience
	}
	if t.Issuer != "" {
		claims["iss"] = t.Issuer
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	return transport.Token{Token: signed, Expires: expires.UnixMilli()}, err
}
