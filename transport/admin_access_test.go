package transport

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"graphy/transport/auth/authtest"
)

// adminTable has a row for each route of operators: what one who may is answered on graph "g", of founder's.
var adminTable = map[string]struct{ query, body, want string }{
	"GET /graphs":                   {want: "200"},
	"GET /graphs/:graphId":          {want: "200"},
	"DELETE /graphs/:graphId":       {want: "204"},
	"GET /graphs/:graphId/log":      {want: "200"},
	"GET /graphs/:graphId/log/diff": {query: "from=1", want: "200"},
	"GET /graphs/:graphId/archive":  {want: "404 not-found"},
	"POST /graphs/:graphId/copy":    {body: `{"to":"COPY"}`, want: "200"},
	"POST /graphs/:graphId/rebuild": {want: "200"},
	"POST /graphs/:graphId/verify":  {want: "200"},
	"POST /rebuild":                 {body: `{"graphs":["GRAPH"]}`, want: "200"},
	"POST /verify":                  {body: `{"all":true}`, want: "200"},
	"POST /retain":                  {body: `{"graphs":["GRAPH"],"events":1000}`, want: "200"},
	"POST /restore":                 {body: `{"graphs":["GRAPH"]}`, want: "404 not-found"},
	"GET /export":                   {query: "graph=GRAPH", want: "200"},
	"POST /import":                  {body: `{}`, want: "415 unsupported-media-type"},
	"GET /deadletters":              {want: "200"},
	"GET /deadletters/:id":          {want: "404 not-found"},
	"POST /deadletters/:id/retry":   {body: `{"reason":"r"}`, want: "404 not-found"},
	"POST /deadletters/:id/skip":    {body: `{"reason":"r"}`, want: "404 not-found"},
	"POST /deadletters/:id/discard": {body: `{"reason":"r"}`, want: "404 not-found"},
	"GET /conflicts":                {want: "200"},
	"GET /sessions":                 {want: "200"},
	"DELETE /sessions/:clientId":    {want: "404 not-found"},
	"GET /doctor":                   {want: "404 not-found"},
	"GET /config":                   {want: "404 not-found"},
	"POST /tokens":                  {body: `{"user":"u"}`, want: "404 not-found"},
	"POST /seed":                    {body: `{"graphId":"GRAPH"}`, want: "404 not-found"},
}

// TestWhoMayOperate calls each route of operators as each visitor, on their listener and on that of clients. A route without
// a row fails it.
func TestWhoMayOperate(t *testing.T) {
	d := newDesk(t)
	cells := 0
	for _, served := range d.desk.adminRoutes().Routes() {
		path, ours := strings.CutPrefix(served.Path, adminPath)
		if !ours {
			continue
		}
		row, known := adminTable[served.Method+" "+path]
		if !known {
			t.Errorf("%s %s has no row in the table of who may operate", served.Method, served.Path)
			continue
		}
		for _, v := range visitors() {
			cells++
			graph := fmt.Sprintf("graph-%d", cells)
			d.found(graph)
			fill := strings.NewReplacer("GRAPH", graph, "COPY", graph+"-copy", ":graphId", graph, ":clientId", "nobody", ":id", "1-0")
			path, body := fill.Replace(served.Path+"?"+row.query), fill.Replace(row.body)
			want := "403 forbidden"
			switch {
			case v.role == nobody:
				want = "401 unauthenticated"
			case v.name == "admin without grants":
				want = row.want
			}
			got := d.ask(v.token(t, graph), served.Method, path, body)
			if text := tell(t, got); text != want {
				t.Errorf("%s %s, %s: got %s %s, want %s", served.Method, path, v.name, text, got.raw, want)
			}
			if got := tell(t, callAt(t, d.public, served.Method, path, body, bearer(v.token(t, graph))...)); got != "404 not-found" {
				t.Errorf("%s %s, %s, where clients are served: got %s, want 404", served.Method, path, v.name, got)
			}
		}
	}
	if cells < 300 {
		t.Errorf("%d cells were tried: the table is not whole", cells)
	}
}

// tell returns status and code.
func tell(t testing.TB, got reply) string {
	t.Helper()
	if got.status < 400 {
		return fmt.Sprint(got.status)
	}
	wantProblem(t, got, got.status, fmt.Sprint(got.json["code"]))
	return fmt.Sprint(got.status, " ", got.json["code"])
}

func TestDenialsOfOperatorsArePutDown(t *testing.T) {
	d := newDesk(t)
	d.ask(authtest.Token(t, "eve", roles{"*": "owner"}), http.MethodPost, adminPath+"/verify", `{"all":true}`)
	if fields := d.audited("denied"); fields["userId"] != "eve" || fields["code"] != "forbidden" || fields["address"] != "127.0.0.1" {
		t.Errorf("got %v", fields)
	}
}

// TestOperatorInsideTheProcess: who calls the handler directly needs no token, and nobody else can pass for one.
func TestOperatorInsideTheProcess(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	inside := func(method, path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, adminPath+path, nil)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		d.desk.Operator("root@host").ServeHTTP(w, r)
		return w
	}
	if w := inside(http.MethodPost, "/graphs/g/verify"); w.Code != 200 || !strings.Contains(w.Body.String(), `"ok":true`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if fields := d.audited("verify"); fields["userId"] != "root@host" || fields["graphId"] != "g" || fields["outcome"] != "done" {
		t.Errorf("got %v", fields)
	}
	if w := inside(http.MethodGet, "/graphs?userId=eve", "X-User-Id", "eve"); w.Code != 400 {
		t.Errorf("a name in the query: got %d, want 400", w.Code)
	}
	if got := d.ask("", http.MethodGet, adminPath+"/graphs", "", "X-User-Id", "root@host"); got.status != 401 {
		t.Errorf("from outside: got %d, want 401", got.status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest(http.MethodPost, adminPath+"/graphs/g/verify", nil).WithContext(ctx)
	w := httptest.NewRecorder()
	d.desk.Operator("root@host").ServeHTTP(w, r)
	if fields := d.audited("verify"); fields["outcome"] != "cancelled" {
		t.Errorf("got %v, want it cancelled", fields)
	}
}

// TestOperatorsInDevelopment: without tokens everybody on the machine may, as with all else.
func TestOperatorsInDevelopment(t *testing.T) {
	d := newDeskOn(newSite(t), nil)
	if got := d.ask("", http.MethodGet, adminPath+"/graphs", "", "X-User-Id", "ann"); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if got := d.ask("", http.MethodGet, adminPath+"/graphs", "", "Origin", "https://evil.example"); got.status != 403 {
		t.Errorf("a page of a stranger: got %d %s, want 403", got.status, got.raw)
	}
}
