package auth

import "fmt"

// Role is what somebody may do on a graph; each may do what those below it may.
type Role int8

const (
	None   Role = iota // nothing, not even know whether the graph exists
	Viewer             // read and subscribe
	Editor             // send commands, undo, resolve
	Owner              // set the policy, delete the graph
)

var roleNames = [...]string{None: "none", Viewer: "viewer", Editor: "editor", Owner: "owner"}

func (r Role) String() string {
	if r < None || r > Owner {
		return fmt.Sprintf("Role(%d)", int8(r))
	}
	return roleNames[r]
}

// ParseRole returns the role of a claim's word. A word that is not known is None: it grants nothing.
func ParseRole(word string) Role {
	for role := Viewer; role <= Owner; role++ {
		if roleNames[role] == word {
			return role
		}
	}
	return None
}
