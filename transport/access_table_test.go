package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

// anyUser needs a token, and no role; nobody not even that.
const (
	nobody  auth.Role = -1
	anyUser           = auth.None
)

// route is a row of the table of who may call what.
type route struct {
	need   auth.Role
	exists string // the answer to one who may, on a graph that founder made: status and code
	never  string // on a graph that nobody made
	body   string
	query  string
	hidden string // the answer to one who may not read, where it is not 403
}

// table has a row for each route. GRAPH is the graph's id in a body or a query.
var table = map[string]route{
	"GET /":        {need: nobody, exists: "200", never: "200"},
	"GET /healthz": {need: nobody, exists: "200", never: "200"},
	"GET /readyz":  {need: nobody, exists: "200", never: "200"},

	"GET /openapi.json": {need: nobody, exists: "200", never: "200"},
	"GET /docs":         {need: nobody, exists: "200", never: "200"},

	"GET /api/v2/graphs":   {need: anyUser, exists: "200", never: "200"},
	"POST /api/v2/tickets": {need: auth.Viewer, exists: "201", never: "201", body: `{"graphId":"GRAPH"}`},

	"GET /api/v2/graphs/:graphId/state":                          {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/changes":                        {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/nodes":                          {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/edges":                          {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/nodes/:nodeId":                  {need: auth.Viewer, exists: "200", never: "404 not-found"},
	"GET /api/v2/graphs/:graphId/nodes/:nodeId/edges":            {need: auth.Viewer, exists: "200", never: "404 not-found"},
	"GET /api/v2/graphs/:graphId/edges/:edgeId":                  {need: auth.Viewer, exists: "200", never: "404 not-found"},
	"GET /api/v2/graphs/:graphId/history":                        {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/diff":                           {need: auth.Viewer, exists: "200", never: "400 invalid-query", query: "from=1"},
	"GET /api/v2/graphs/:graphId/stats":                          {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/conflicts":                      {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/policy":                         {need: auth.Viewer, exists: "200", never: "200"},
	"GET /api/v2/graphs/:graphId/operations/:operationId":        {need: auth.Viewer, exists: "200", never: "404 not-found"},
	"GET /api/v2/operations/:operationId":                        {need: auth.Viewer, exists: "200", never: "404 not-found", hidden: "404 not-found"},
	"POST /api/v2/graphs/:graphId/command":                       {need: auth.Editor, exists: "202", never: "202", body: `{"type":"CREATE_NODE","payload":{"id":"new"}}`},
	"POST /api/v2/graphs/:graphId/batch":                         {need: auth.Editor, exists: "202", never: "202", body: `{"operations":[{"type":"CREATE_NODE","payload":{"id":"new"}}]}`},
	"POST /api/v2/graphs/:graphId/undo":                          {need: auth.Editor, exists: "409 nothing-to-undo", never: "409 nothing-to-undo", body: "{}"},
	"POST /api/v2/graphs/:graphId/redo":                          {need: auth.Editor, exists: "409 nothing-to-redo", never: "409 nothing-to-redo"},
	"POST /api/v2/graphs/:graphId/conflicts/:conflictId/resolve": {need: auth.Editor, exists: "404 not-found", never: "404 not-found", body: `{"choice":"client"}`},
	"PUT /api/v2/graphs/:graphId/policy":                         {need: auth.Owner, exists: "200", never: "200", body: `{"/title":"MERGE"}`},
	"DELETE /api/v2/graphs/:graphId":                             {need: auth.Owner, exists: "204", never: "204"},

	"GET /api/v2/graphs/:graphId/subscribe": {need: auth.Viewer, exists: "sync full 3", never: "sync full 0"},
	"GET /ws":                               {need: auth.Viewer, exists: "sync full 3", never: "sync full 0", query: "graphId=GRAPH"},
}

// visitor is a column: somebody with a token, or without.
type visitor struct {
	name  string
	token func(t testing.TB, graph string) string
	role  auth.Role // on the graph
}

// visitors are all columns.
func visitors() []visitor {
	withGrants := func(name string, role auth.Role, grants func(graph string) roles) visitor {
		return visitor{name, func(t testing.TB, graph string) string { return authtest.Token(t, "visitor", grants(graph)) }, role}
	}
	all := []visitor{
		{"without a token", func(testing.TB, string) string { return "" }, nobody},
		{"with a bad token", func(testing.TB, string) string { return "e30.e30.e30" }, nobody},
		{"with an expired token", func(t testing.TB, graph string) string {
			return authtest.Token(t, "visitor", roles{graph: "owner"}, authtest.Expires(time.Now().Add(-time.Minute)))
		}, nobody},
		{"admin without grants", func(t testing.TB, _ string) string { return authtest.Token(t, "visitor", nil, authtest.Admin) }, auth.None},
		withGrants("owner of all others", auth.None, func(graph string) roles { return roles{"*": "owner", graph: "none"} }),
		withGrants("viewer of it, owner of all others", auth.Viewer, func(graph string) roles { return roles{"*": "owner", graph: "viewer"} }),
	}
	for role := auth.Viewer; role <= auth.Owner; role++ {
		word := role.String()
		all = append(all,
			withGrants(word+" of it", role, func(graph string) roles { return roles{graph: word} }),
			withGrants(word+" of another", auth.None, func(string) roles { return roles{"another": word} }),
			withGrants(word+" of every graph", role, func(string) roles { return roles{"*": word} }))
	}
	return all
}

// want is the answer to a visitor.
func (r route) want(v visitor, exists bool) string {
	switch {
	case r.need != nobody && v.role == nobody:
		return "401 unauthenticated"
	case r.need == anyUser || r.need == nobody || v.role >= r.need:
		if exists {
			return r.exists
		}
		return r.never
	case r.hidden != "":
		return r.hidden
	}
	return "403 forbidden"
}

// TestWhoMayDoWhat calls each route as each visitor on a graph that exists and one that does not. A route without a row
// fails it.
func TestWhoMayDoWhat(t *testing.T) {
	s := newGuarded(t)
	cells := 0
	for _, served := range s.server.routes().Routes() {
		row, known := table[strings.Replace(served.Method, http.MethodHead, http.MethodGet, 1)+" "+served.Path]
		if !known {
			t.Errorf("%s %s has no row in the table of who may do what", served.Method, served.Path)
			continue
		}
		for _, v := range visitors() {
			for _, exists := range []bool{false, true} {
				cells++
				graph := fmt.Sprintf("graph-%d", cells)
				if exists {
					s.found(graph)
				}
				got, want := s.visit(served.Method, served.Path, row, graph, v.token(t, graph)), row.want(v, exists)
				if served.Method == http.MethodHead {
					want = want[:3] // the code is in the body
				}
				if got != want && got != closing[want] {
					t.Errorf("%s %s, %s, exists %v: got %s, want %s", served.Method, served.Path, v.name, exists, got, want)
				}
			}
		}
	}
	if cells < 1000 {
		t.Errorf("%d cells were tried: the table is not whole", cells)
	}
}

// closing is what a WebSocket tells in the place of a status.
var closing = map[string]string{"401 unauthenticated": "4501", "403 forbidden": "4502"}

// visit calls a route and returns status and code of the answer, or what a WebSocket began with.
func (s *site) visit(method, path string, row route, graph, token string) string {
	s.t.Helper()
	path = strings.NewReplacer(":graphId", graph, ":nodeId", "n1", ":edgeId", "e1", ":operationId", "op1-"+graph, ":conflictId", "1-0").Replace(path)
	path += "?" + strings.ReplaceAll(row.query, "GRAPH", graph)
	if strings.Contains(path, "/ws") || strings.Contains(path, "/subscribe") {
		return s.visitSocket(path, token)
	}
	got := s.as(token, method, path, strings.ReplaceAll(row.body, "GRAPH", graph))
	if got.status < 400 || method == http.MethodHead {
		return fmt.Sprint(got.status)
	}
	wantProblem(s.t, got, got.status, fmt.Sprint(got.json["code"]))
	return fmt.Sprint(got.status, " ", got.json["code"])
}

func (s *site) visitSocket(path, token string) string {
	s.t.Helper()
	p, _, err := s.dial(path, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	defer p.conn.Close()
	_, frame, err := p.conn.ReadMessage()
	if err != nil {
		return fmt.Sprint(closeCode(err))
	}
	var first struct {
		Type, Status string
		Version      int
	}
	if err := json.Unmarshal(frame, &first); err != nil {
		s.t.Fatalf("%s: %q: %v", path, frame, err)
	}
	return fmt.Sprint(first.Type, " ", first.Status, " ", first.Version)
}

// TestNothingTellsWhetherAGraphExists compares, byte for byte, what one who may not read a graph is told before and after it
// is made.
func TestNothingTellsWhetherAGraphExists(t *testing.T) {
	s := newGuarded(t)
	stranger := authtest.Token(t, "stranger", roles{"another": "owner"})
	for name, row := range table {
		method, path, _ := strings.Cut(name, " ")
		if row.need <= anyUser || strings.HasSuffix(path, "subscribe") || path == "/ws" {
			continue
		}
		graph := "secret-" + fmt.Sprint(len(path), method)
		ask := func() (answer []byte) {
			path := strings.NewReplacer(":graphId", graph, ":nodeId", "n1", ":edgeId", "e1", ":operationId", "op1-"+graph, ":conflictId", "1-0").Replace(path)
			got := s.as(stranger, method, path+"?"+row.query, strings.ReplaceAll(row.body, "GRAPH", graph))
			got.header.Del("Date")
			names := make([]string, 0, len(got.header))
			for name, values := range got.header {
				names = append(names, fmt.Sprint(name, values))
			}
			slices.Sort(names)
			return append(got.raw, fmt.Sprint(got.status, names)...)
		}
		before := ask()
		s.found(graph)
		if after := ask(); !bytes.Equal(before, after) {
			t.Errorf("%s: before the graph was made\n%s\nafter it was\n%s", name, before, after)
		}
	}
}
