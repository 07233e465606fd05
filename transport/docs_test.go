package transport

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/labstack/echo/v4"

	"graphy/transport/openapi"
)

func loadDocument(t testing.TB, description openapi.Description) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(description.Document)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestDocumentsDescribeTheRoutes: what is served is described, and the other way round.
func TestDocumentsDescribeTheRoutes(t *testing.T) {
	s := newSite(t)
	parameter := regexp.MustCompile(`:(\w+)`)
	for name, listener := range map[string]struct {
		routes      *echo.Echo
		description openapi.Description
	}{"public": {s.server.routes(), openapi.Public}, "operators": {s.server.adminRoutes(), openapi.Operators}} {
		var served, described []string
		for _, route := range listener.routes.Routes() {
			if route.Method != http.MethodHead && route.Path != "/" {
				served = append(served, route.Method+" "+parameter.ReplaceAllString(route.Path, "{$1}"))
			}
		}
		for path, item := range loadDocument(t, listener.description).Paths.Map() {
			for method := range item.Operations() {
				described = append(described, method+" "+path)
			}
		}
		for _, route := range served {
			if !slices.Contains(described, route) {
				t.Errorf("%s: %s is not described", name, route)
			}
		}
		for _, route := range described {
			if !slices.Contains(served, route) {
				t.Errorf("%s: %s is described and not served", name, route)
			}
		}
	}
}

// describedClient fails the test for each request or answer that is not as the document says.
type describedClient struct {
	t      *testing.T
	base   string
	router routers.Router
	strict bool // the request has to be as described too
}

func (c *describedClient) do(method, path, body string) (status int, answer string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	route, parameters, err := c.router.FindRoute(request)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	if err := openapi3filter.ValidateRequest(c.t.Context(), input); c.strict && err != nil {
		c.t.Errorf("%s %s: the request: %v", method, path, err)
	}
	if body != "" {
		request.Body = io.NopCloser(strings.NewReader(body)) // the first one was read
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	err = openapi3filter.ValidateResponse(c.t.Context(), &openapi3filter.ResponseValidationInput{RequestValidationInput: input,
		Status: response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(content)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true}})
	if err != nil {
		c.t.Errorf("%s %s: the answer %d %.300s: %v", method, path, response.StatusCode, content, err)
	}
	return response.StatusCode, string(content)
}

// TestAnswersAreAsDescribed calls the routes, rightly and wrongly, and holds every answer against the document.
func TestAnswersAreAsDescribed(t *testing.T) {
	s := newSite(t)
	doc := loadDocument(t, openapi.Public)
	doc.Servers = openapi3.Servers{{URL: s.http.URL}}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	good := &describedClient{t: t, base: s.http.URL, router: router, strict: true}
	bad := &describedClient{t: t, base: s.http.URL, router: router}
	const g = "/api/v2/graphs/described"
	for _, call := range []struct {
		client             *describedClient
		method, path, body string
		want               int
	}{
		{good, "GET", "/healthz", "", 200},
		{good, "GET", "/readyz", "", 200},
		{good, "GET", "/openapi.json", "", 200},
		{good, "GET", g + "/state", "", 200},
		{good, "POST", g + "/command?wait=completed", `{"operationId":"o1","type":"CREATE_NODE","payload":{"id":"n1","title":"a"}}`, 200},
		{good, "POST", g + "/command", `{"operationId":"o1","type":"CREATE_NODE","payload":{"id":"n1","title":"a"}}`, 202},
		{good, "POST", g + "/command", `{"type":"CREATE_NODE","payload":{"id":"n2"},"dryRun":true}`, 200},
		{good, "POST", g + "/batch", `{"atomic":true,"operations":[{"type":"CREATE_NODE","payload":{"id":"n2"}},{"type":"CREATE_EDGE","payload":{"id":"e1","source":"n1","target":"n2"}}]}`, 202},
		{good, "POST", g + "/batch", `{"operations":[{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"b"}}]}`, 202},
		{good, "PUT", g + "/policy", `{"/data/status":"MANUAL"}`, 200},
		{good, "GET", g + "/policy", "", 200},
		{good, "POST", g + "/undo", `{}`, 202},
		{good, "POST", g + "/redo", ``, 202},
		{good, "GET", g + "/operations/o1", "", 200},
		{good, "GET", "/api/v2/operations/o1", "", 200},
		{good, "GET", "/api/v2/graphs", "", 200},
		{good, "GET", g + "/state?minVersion=1", "", 200},
		{good, "GET", g + "/state?at=1", "", 200},
		{good, "GET", g + "/changes?since=0", "", 200},
		{good, "GET", g + "/changes?since=0&squash=true", "", 200},
		{good, "GET", g + "/changes?since=9999", "", 200},
		{good, "GET", g + "/nodes", "", 200},
		{good, "GET", g + "/edges", "", 200},
		{good, "GET", g + "/nodes/n1", "", 200},
		{good, "GET", g + "/nodes/n1/edges", "", 200},
		{good, "GET", g + "/edges/e1", "", 200},
		{good, "GET", g + "/history", "", 200},
		{good, "GET", g + "/diff?from=0", "", 200},
		{good, "GET", g + "/stats", "", 200},
		{good, "GET", g + "/conflicts?status=open", "", 200},
		{good, "POST", "/api/v2/tickets", `{"graphId":"described"}`, 201},
		{good, "DELETE", g, "", 204},
		{bad, "POST", g + "/command", `{"type":"CREATE_NODE"`, 400},
		{bad, "POST", g + "/command", `{"type":"NO_SUCH","payload":{}}`, 422},
		{bad, "GET", g + "/nodes/none", "", 404},
		{bad, "GET", g + "/changes?since=x", "", 400},
		{bad, "GET", g + "/state?at=77", "", 400},
		{bad, "POST", g + "/redo", ``, 409},
	} {
		if status, answer := call.client.do(call.method, call.path, call.body); status != call.want {
			t.Errorf("%s %s: got %d %.300s, want %d", call.method, call.path, status, answer, call.want)
		}
	}
}

// TestOperatorsAnswersAreAsDescribed does the same on the operators' listener.
func TestOperatorsAnswersAreAsDescribed(t *testing.T) {
	s := newDeskOn(newSite(t), nil)
	operators := s.operators
	doc := loadDocument(t, openapi.Operators)
	doc.Servers = openapi3.Servers{{URL: operators.URL}}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	s.call(http.MethodPost, "/api/v2/graphs/g/command?wait=completed", createNode("n1"))
	good := &describedClient{t: t, base: operators.URL, router: router, strict: true}
	bad := &describedClient{t: t, base: operators.URL, router: router}
	const a = "/api/v2/admin"
	for _, call := range []struct {
		client             *describedClient
		method, path, body string
		want               int
	}{
		{good, "GET", "/healthz", "", 200},
		{good, "GET", "/readyz", "", 200},
		{good, "GET", a + "/graphs", "", 200},
		{good, "GET", a + "/graphs/g", "", 200},
		{good, "POST", a + "/graphs/g/verify", "", 200},
		{good, "POST", a + "/graphs/g/rebuild", `{"dryRun":true}`, 200},
		{good, "POST", a + "/verify", `{"all":true}`, 200},
		{good, "POST", a + "/rebuild", `{"graphs":["g"]}`, 200},
		{good, "GET", a + "/graphs/g/log/diff?from=0&to=1", "", 200},
		{good, "GET", a + "/deadletters", "", 200},
		{good, "GET", a + "/conflicts", "", 200},
		{good, "GET", a + "/sessions", "", 200},
		{good, "POST", a + "/graphs/g/copy", `{"to":"h"}`, 200},
		{good, "DELETE", a + "/graphs/h", "", 204},
		{bad, "GET", a + "/graphs/none", "", 404},
		{bad, "POST", a + "/graphs/g/copy", `{"to":"g"}`, 409},
		{bad, "GET", a + "/deadletters/none", "", 404},
		{bad, "POST", a + "/deadletters/none/discard", `{}`, 422},
		{bad, "GET", a + "/graphs?limit=0", "", 400},
	} {
		if status, answer := call.client.do(call.method, call.path, call.body); status != call.want {
			t.Errorf("%s %s: got %d %.300s, want %d", call.method, call.path, status, answer, call.want)
		}
	}
}

// TestDocsPageShowsInABrowser: its style is allowed by its own policy, and nothing else is.
func TestDocsPageShowsInABrowser(t *testing.T) {
	s := newSite(t)
	response, err := http.Get(s.http.URL + "/docs")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	policy := response.Header.Get("Content-Security-Policy")
	if policy != openapi.Public.Policy || !strings.Contains(policy, "style-src 'sha256-") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy is %q", policy)
	}
	if kind := response.Header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
		t.Errorf("type is %q", kind)
	}
}
