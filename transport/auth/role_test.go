package auth

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRoleNames(t *testing.T) {
	for role := Viewer; role <= Owner; role++ {
		if got := ParseRole(role.String()); got != role {
			t.Errorf("ParseRole(%q): got %v", role, got)
		}
	}
	for _, word := range []string{"", "none", "Viewer", "OWNER", "owner ", "admin", "*", "editor\x00", "viewer,owner"} {
		if got := ParseRole(word); got != None {
			t.Errorf("ParseRole(%q): got %v, want None", word, got)
		}
	}
	if None >= Viewer || Viewer >= Editor || Editor >= Owner {
		t.Error("the roles are out of order")
	}
	if got := Role(9).String(); got != "Role(9)" {
		t.Errorf("Role(9): got %q", got)
	}
}

// TestRolesOfPrincipals draws grants and compares the role on any graph with the rule: the graph's own grant, however
// low, else that of every graph, else none.
func TestRolesOfPrincipals(t *testing.T) {
	graph := rapid.SampledFrom([]string{"a", "b", "c", "d", EveryGraph, ""})
	role := rapid.SampledFrom([]Role{None, Viewer, Editor, Owner})
	rapid.Check(t, func(t *rapid.T) {
		p := &Principal{User: "u", Grants: rapid.MapOf(graph, role).Draw(t, "grants")}
		asked := graph.Draw(t, "graph")
		want, own := p.Grants[asked]
		if !own {
			want = p.Grants[EveryGraph]
		}
		if got := p.Role(asked); got != want {
			t.Fatalf("Role(%q) with %v: got %v, want %v", asked, p.Grants, got, want)
		}
	})
}

func TestEverybody(t *testing.T) {
	p := Everybody("ann")
	if p.User != "ann" || p.Role("any") != Owner || !p.Admin || !p.Expires.IsZero() {
		t.Errorf("got %+v", p)
	}
	if got := (&Principal{User: "ann"}).Role("any"); got != None {
		t.Errorf("without grants: got %v, want None", got)
	}
}

func TestIsUser(t *testing.T) {
	for user, want := range map[string]bool{"a": true, "ann smith": true, "Ünal 山": true, "": false, "a\x00": false, "a\xff": false, "a\u200b": false} {
		if got := IsUser(user); got != want {
			t.Errorf("IsUser(%q): got %v, want %v", user, got, want)
		}
	}
}
