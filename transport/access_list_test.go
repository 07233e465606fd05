package transport

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

// list pages through all graphs that a token may read. No page tells of others.
func (s *site) list(token string, limit int) []string {
	s.t.Helper()
	var names []string
	for cursor := ""; ; {
		got := s.as(token, http.MethodGet, fmt.Sprintf("/api/v2/graphs?limit=%d&cursor=%s", limit, cursor), "")
		if got.status != 200 {
			s.t.Fatalf("list: got %d %s", got.status, got.raw)
		}
		for _, graph := range got.json["graphs"].([]any) {
			names = append(names, graph.(map[string]any)["graphId"].(string))
		}
		next, more := got.json["cursor"].(string)
		if strings.Contains(string(got.raw), "secret") {
			s.t.Errorf("the answer tells of a graph that may not be read: %s", got.raw)
		}
		if !more {
			return names
		}
		if next <= cursor {
			s.t.Fatalf("cursor %q follows cursor %q", next, cursor)
		}
		cursor = next
	}
}

func TestListOfReadableGraphs(t *testing.T) {
	s := newGuarded(t)
	var all, hidden []string
	for i := range 12 {
		name := fmt.Sprintf("%02d-open", i)
		if i%3 > 0 {
			name = fmt.Sprintf("%02d-secret", i)
			hidden = append(hidden, name)
		} else {
			all = append(all, name)
		}
		s.found(name)
	}
	allBut := roles{"*": "viewer"}
	for _, name := range hidden {
		allBut[name] = "none"
	}
	tests := []struct {
		name   string
		grants roles
		want   []string
	}{
		{"nothing", nil, nil},
		{"none by name", roles{"00-open": "none"}, nil},
		{"some", roles{"03-open": "viewer", "09-open": "owner", "not-there": "owner", "~": "viewer", "06-open": "editor"}, []string{"03-open", "06-open", "09-open"}},
		{"all but some", allBut, all},
	}
	for _, test := range tests {
		for _, limit := range []int{1, 2, 3, 4, 100} {
			if got := s.list(authtest.Token(t, "ann", test.grants), limit); !slices.Equal(got, test.want) {
				t.Errorf("%s, %d at a time: got %v, want %v", test.name, limit, got, test.want)
			}
		}
	}
}

// TestListPassesOverManyGraphs: those that may not be read take up more than the pages that are read at a time.
func TestListPassesOverManyGraphs(t *testing.T) {
	s := newGuarded(t)
	principal := &auth.Principal{Grants: map[string]auth.Role{auth.EveryGraph: auth.Viewer}}
	var want []string
	for i := range 3*listPage + 7 {
		name := fmt.Sprintf("g%04d", i)
		data := []byte("{}")
		event := eventstore.Event{Version: 1, Data: data, Hash: eventstore.NextHash("", data), Operations: []string{name}}
		if _, err := s.log.Append(t.Context(), name, eventstore.Position{}, []eventstore.Event{event}); err != nil {
			t.Fatal(err)
		}
		if i%61 == 0 || i == 2*listPage-1 || i == 2*listPage {
			want = append(want, name)
		} else {
			principal.Grants[name] = auth.None
		}
	}
	for _, limit := range []int{1, 2, len(want) - 1, len(want), len(want) + 1, 1000} {
		var got []string
		for cursor, more := "", true; more; {
			var names []string
			var err error
			if names, more, err = s.server.readable(t.Context(), principal, cursor, limit); err != nil {
				t.Fatal(err)
			}
			if more && len(names) != limit || len(names) > limit {
				t.Fatalf("%d at a time: got %d, and more is %v", limit, len(names), more)
			}
			if got = append(got, names...); more {
				cursor = names[limit-1]
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d at a time: got %v, want %v", limit, got, want)
		}
	}
}

// TestFewGrantsWalkNoDirectory: the list of one who may read a few graphs costs nothing of all the others.
func TestFewGrantsWalkNoDirectory(t *testing.T) {
	s := newGuarded(t)
	s.found("mine")
	s.failCall = "streams"
	s.breakLog(eventstore.ErrUnavailable)
	if got := s.list(authtest.Token(t, "ann", roles{"mine": "viewer", "gone": "viewer"}), 10); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("got %v, want mine", got)
	}
}

// TestListIsWhatMayBeRead compares lists with the roles of a principal, for any grants.
func TestListIsWhatMayBeRead(t *testing.T) {
	s := newGuarded(t)
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, name := range names {
		s.found(name)
	}
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.MapOf(rapid.SampledFrom(append(names, "*", "z")), rapid.SampledFrom([]string{"viewer", "editor", "owner", "none", ""})).Draw(t, "grants")
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		var want []string
		for _, name := range names {
			role, own := grants[name]
			if !own {
				role = grants["*"]
			}
			if role == "viewer" || role == "editor" || role == "owner" {
				want = append(want, name)
			}
		}
		if got := s.list(authtest.Token(s.t, "ann", grants), limit); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
