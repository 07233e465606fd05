package auth

import (
	"math"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// claims is what this package reads of a token's payload.
type claims struct {
	issuer, subject         string
	audience                audience
	expires, starts, issued moment
	grants                  grants
	admin                   bool
}

var _ jwt.Claims = (*claims)(nil)

// UnmarshalJSON decodes strictly what it knows; claims that it does not know pass.
func (c *claims) UnmarshalJSON(data []byte) error {
	*c = claims{}
	err := readObject(data, map[string]any{
		"iss": &c.issuer, "sub": &c.subject, "aud": &c.audience,
		"exp": &c.expires, "nbf": &c.starts, "iat": &c.issued,
		"graphs": &c.grants, "admin": &c.admin,
	})
	if err == nil && !IsUser(c.subject) {
		err = claimError("sub is not 1 to 128 bytes of printable UTF-8")
	}
	return err
}

// principal returns who the claims are about.
func (c *claims) principal() *Principal {
	return &Principal{User: c.subject, Grants: c.grants, Admin: c.admin, Expires: c.expires.Time}
}

// moment is a NumericDate: seconds since 1970, perhaps with a fraction. The zero value is none.
type moment struct{ time.Time }

// maxSeconds is the end of the year 9999.
const maxSeconds = 253402300799

func (m *moment) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var seconds float64
	if err := json.UnmarshalDecode(dec, &seconds); err != nil {
		return err
	}
	if seconds < 0 || seconds > maxSeconds {
		return claimError("a date is out of range")
	}
	whole, fraction := math.Modf(seconds)
	m.Time = time.Unix(int64(whole), int64(fraction*1e9))
	return nil
}

func (m moment) date() *jwt.NumericDate {
	if m.IsZero() {
		return nil
	}
	return &jwt.NumericDate{Time: m.Time}
}

// audience is one name or an array of names.
type audience []string

func (a *audience) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		*a = make(audience, 1)
		return json.UnmarshalDecode(dec, &(*a)[0])
	}
	return json.UnmarshalDecode(dec, (*[]string)(a))
}

// grants is an object from graph id to the name of a role.
type grants map[string]Role

func (g *grants) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var words map[string]*string // null is no name
	if err := json.UnmarshalDecode(dec, &words); err != nil {
		return err
	}
	*g = make(grants, len(words))
	for graph, word := range words {
		if word == nil {
			return claimError("a role is null")
		}
		(*g)[graph] = ParseRole(*word)
	}
	return nil
}

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.expires.date(), nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return c.starts.date(), nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.issued.date(), nil }
func (c *claims) GetIssuer() (string, error)                   { return c.issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return c.subject, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings(c.audience), nil }
