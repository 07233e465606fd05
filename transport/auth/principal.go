package auth

import "time"

// EveryGraph stands in a grant for all graphs that have none of their own.
const EveryGraph = "*"

// Principal is who a token speaks for. It is shared and never written to.
type Principal struct {
	User    string
	Grants  map[string]Role // by graph id, or EveryGraph
	Admin   bool            // may use the operators' endpoints
	Expires time.Time       // of the token, without the leeway; zero: never, as in development mode
}

// Role returns what the principal may do on graph. A grant of the graph's own goes before the one of every graph, also
// where it grants less.
func (p *Principal) Role(graph string) Role {
	if role, own := p.Grants[graph]; own {
		return role
	}
	return p.Grants[EveryGraph]
}

// Everybody is who calls in development mode: owner of everything, for ever.
func Everybody(user string) *Principal {
	return &Principal{User: user, Grants: everything, Admin: true}
}

var everything = map[string]Role{EveryGraph: Owner}
