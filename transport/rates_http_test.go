package transport

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

// structured reads a field of draft-ietf-httpapi-ratelimit-headers, a list (RFC 9651) of strings with parameters that are
// integers. It fails the test if it is none.
func structured(t testing.TB, header http.Header, name string, parameters ...string) map[string]map[string]int {
	t.Helper()
	item := regexp.MustCompile(`^"([a-z]+)"((?:;[a-z]+=[0-9]{1,15})+)$`)
	read := map[string]map[string]int{}
	for member := range strings.SplitSeq(strings.Join(header.Values(name), ", "), ", ") {
		match := item.FindStringSubmatch(member)
		if match == nil {
			t.Errorf("%s: %q is no item of a string with integers", name, member)
			continue
		}
		if read[match[1]] != nil {
			t.Errorf("%s names %q twice: %q", name, match[1], header.Values(name))
		}
		values := map[string]int{}
		for parameter := range strings.SplitSeq(match[2][1:], ";") {
			key, value, _ := strings.Cut(parameter, "=")
			values[key], _ = strconv.Atoi(value)
		}
		for _, parameter := range parameters {
			if _, given := values[parameter]; !given {
				t.Errorf("%s: %q lacks %s", name, member, parameter)
			}
		}
		read[match[1]] = values
	}
	return read
}

// wantLimited checks an answer to who is over a rate.
func wantLimited(t testing.TB, got reply, kind string) {
	t.Helper()
	wantProblem(t, got, http.StatusTooManyRequests, "rate-limited")
	after, err := strconv.Atoi(got.header.Get("Retry-After"))
	if err != nil || after < 1 {
		t.Errorf("Retry-After is %q, want whole seconds from 1 on", got.header.Get("Retry-After"))
	}
	left := structured(t, got.header, "RateLimit", "r", "t")
	policy := structured(t, got.header, "RateLimit-Policy", "q", "w")
	if left[kind] == nil || policy[kind] == nil {
		t.Fatalf("RateLimit %v and its policy %v do not name %q", left, policy, kind)
	}
	if left[kind]["t"] > after {
		t.Errorf("t is %d and Retry-After %d, want no earlier", left[kind]["t"], after)
	}
	if policy[kind]["w"] < 1 || policy[kind]["q"] < left[kind]["r"] {
		t.Errorf("RateLimit %v does not go with its policy %v", left, policy)
	}
}

func (s *site) order(path, body string, headers ...string) reply {
	s.t.Helper()
	return s.call(http.MethodPost, "/api/v2/graphs/"+path, body, headers...)
}

// TestUserOverTheRate: a user has the burst and no more, others theirs, and a command refused for the rate is nowhere: it
// is accepted, once, when it comes again under its id.
func TestUserOverTheRate(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.User = 2 })
	for i := range 4 {
		got := s.order("g/command", createNode(fmt.Sprint("n", i)), "X-User-Id", "ann")
		if got.status != 202 {
			t.Fatalf("command %d: got %d %s, want 202", i, got.status, got.raw)
		}
		left := structured(t, got.header, "RateLimit", "r", "t")["user"]
		if policy := structured(t, got.header, "RateLimit-Policy", "q", "w")["user"]; policy["q"] != 4 || policy["w"] != 2 {
			t.Errorf("the policy is %v, want 4 in 2 s", policy)
		}
		if left["r"] != 3-i || left["t"] != 1 {
			t.Errorf("after command %d RateLimit is %v, want r=%d;t=1", i, left, 3-i)
		}
	}
	again := createNode("again")
	wantLimited(t, s.order("g/command", again, "X-User-Id", "ann"), "user")
	if got := s.order("g/command", createNode("other"), "X-User-Id", "bob"); got.status != 202 {
		t.Errorf("another user: got %d, want 202", got.status)
	}
	wantProblem(t, s.get("/operations/op-again"), 404, "not-found")
	accepted := 0
	for tries := 0; accepted < 2; tries++ {
		got := s.order("g/command", again, "X-User-Id", "ann")
		if got.status == 202 {
			if accepted++; accepted == 2 != (got.json["duplicate"] == true) {
				t.Errorf("time %d under one id: got %s", accepted, got.raw)
			}
		} else if wantLimited(t, got, "user"); tries > 10_000 {
			t.Fatal("never accepted again")
		}
	}
	if head := s.head("g"); head.Version != 6 {
		t.Errorf("the graph is at version %d, want 6: each command once", head.Version)
	}
}

// TestRefusedCommandsCost: what is refused for its form, was done before, or is a dry run uses up the rate as others do; what
// the caller may not do, or cannot be heard of, does not.
func TestRefusedCommandsCost(t *testing.T) {
	for _, test := range []struct{ name, method, path, body string }{
		{"malformed", "POST", "g/command", `{`},
		{"invalid", "POST", "g/command", `{"type":"CREATE_NODE","payload":{"id":1}}`},
		{"unknown", "POST", "g/command", `{"type":"NO_SUCH","payload":{}}`},
		{"of the wrong type", "POST", "g/command", ``},
		{"rejected", "POST", "g/command", `{"type":"DELETE_NODE","payload":{"nodeId":"no"}}`},
		{"dry run", "POST", "g/command", `{"type":"CREATE_NODE","payload":{},"dryRun":true}`},
		{"undo", "POST", "g/undo", ``},
		{"redo", "POST", "g/redo", ``},
		{"resolve", "POST", "g/conflicts/c/resolve", `{"choice":"client"}`},
		{"policy", "PUT", "g/policy", `{"/data/x":"NO"}`},
		{"delete", "DELETE", "g", ``},
		{"empty batch", "POST", "g/batch", `{"operations":[]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, func(o *Options) { o.Rates.User = 0.01 }) // one
			if got := s.call(test.method, "/api/v2/graphs/"+test.path, test.body); got.status == 429 {
				t.Fatalf("the first one: got %d %s", got.status, got.raw)
			}
			wantLimited(t, s.call(test.method, "/api/v2/graphs/"+test.path, test.body), "user")
		})
	}
	s := newSite(t, func(o *Options) { o.Rates.User = 0.01 })
	for range 3 {
		if got := s.get("/graphs/g/state"); got.status != 200 || got.header.Get("RateLimit") != "" {
			t.Errorf("a query: got %d, RateLimit %q, want 200 without", got.status, got.header.Get("RateLimit"))
		}
	}
	if got := s.order("g/command", createNode("x")); got.status != 202 {
		t.Errorf("the first command after queries: got %d", got.status)
	}
}

// TestBatchCostsItsOperations, of its user and of the graph, in whatever way they come.
func TestBatchCostsItsOperations(t *testing.T) {
	operations := func(count int) string {
		list := make([]string, count)
		for i := range list {
			list[i] = `{"type":"CREATE_NODE","payload":{}}`
		}
		return strings.Join(list, ",")
	}
	nodes := func(count int) string {
		list := make([]string, count)
		for i := range list {
			list[i] = fmt.Sprintf(`"n%d":{}`, i)
		}
		return strings.Join(list, ",")
	}
	for _, kind := range []string{"user", "graph"} {
		for name, body := range map[string]func(int) (string, string){
			"batch":        func(n int) (string, string) { return "batch", `{"operations":[` + operations(n) + `]}` },
			"atomic batch": func(n int) (string, string) { return "batch", `{"atomic":true,"operations":[` + operations(n) + `]}` },
			"BATCH_UPDATE": func(n int) (string, string) {
				return "command", `{"type":"BATCH_UPDATE","payload":{"operations":[` + operations(n) + `]}}`
			},
			"upserts": func(n int) (string, string) {
				return "command", `{"type":"BATCH_UPDATE","payload":{"nodes":{` + nodes(n) + `}}}`
			},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				s := newSite(t, func(o *Options) {
					if o.Rates.User = 5; kind == "graph" { // a burst of 10
						o.Rates.User, o.Rates.Graph = 1000, 5
					}
				})
				post := func(n int) reply {
					path, body := body(n)
					return s.order("g/"+path, body)
				}
				if got := post(7); got.status != 202 {
					t.Fatalf("7 of 10: got %d %s", got.status, got.raw)
				}
				wantLimited(t, post(6), kind)
				if got := s.order("g/batch", `{"operations":[`+operations(1)+`]}`); got.status != 202 {
					t.Errorf("1 of the 3 that are left: got %d %s", got.status, got.raw)
				}
			})
		}
	}
}

// TestBatchAboveTheBurst passes when the bucket is full, and is paid off afterwards.
func TestBatchAboveTheBurst(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.User = 5 })
	batch := `{"operations":[` + strings.Repeat(`{"type":"CREATE_NODE","payload":{}},`, 59) + `{"type":"CREATE_NODE","payload":{}}]}`
	var got reply
	for tries := 0; ; tries++ { // its own first token is taken before: what the bucket then lacks comes within 0.2 s
		if got = s.order("g/batch", batch); got.status == 202 {
			break
		}
		if wantLimited(t, got, "user"); tries > 10_000 {
			t.Fatal("never accepted")
		}
	}
	got = s.order("g/command", createNode("x"))
	wantLimited(t, got, "user")
	if after, _ := strconv.Atoi(got.header.Get("Retry-After")); after < 9 || after > 11 {
		t.Errorf("Retry-After is %d after 60 of 5 a second, want about 10", after)
	}
}

// TestGraphOverTheRate: a graph on which too much is written refuses all of its writers, and no other graph does.
func TestGraphOverTheRate(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.User, o.Rates.Graph = 100, 1 })
	for i := range 2 {
		if got := s.order("g/command", createNode(fmt.Sprint(i)), "X-User-Id", fmt.Sprint("u", i)); got.status != 202 {
			t.Fatalf("got %d %s", got.status, got.raw)
		}
	}
	got := s.order("g/command", createNode("x"), "X-User-Id", "ann")
	wantLimited(t, got, "graph")
	if left := structured(t, got.header, "RateLimit", "r", "t"); left["user"]["r"] != 199 {
		t.Errorf("RateLimit is %v, want the user's, too", left)
	}
	if got := s.order("h/command", createNode("x"), "X-User-Id", "ann"); got.status != 202 {
		t.Errorf("another graph: got %d", got.status)
	}
}

// TestAddressOverTheRate: each request costs the address that it comes from, told through trusted proxies alone.
func TestAddressOverTheRate(t *testing.T) {
	s := newSite(t, func(o *Options) {
		o.Rates.Address, o.Rates.Loopback = 1, true
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	from := func(address, path string) reply { return s.get(path, "X-Forwarded-For", address) }
	for _, path := range []string{"/graphs/g/state", "/no/such/route"} {
		if got := from("203.0.113.9", path); got.status == 429 {
			t.Errorf("%s: got %d", path, got.status)
		}
	}
	wantLimited(t, from("203.0.113.9", "/graphs/g/state"), "address")
	wantLimited(t, from("1.1.1.1, 203.0.113.9", "/graphs/g/state"), "address") // says to be another one
	if got := from("203.0.113.10", "/graphs/g/state"); got.status != 200 {
		t.Errorf("another address: got %d", got.status)
	}
	for i := range 2 {
		if got := from(fmt.Sprintf("2001:db8::%d", i), "/graphs"); got.status != 200 {
			t.Errorf("got %d", got.status)
		}
	}
	wantLimited(t, from("2001:db8::ffff:1", "/graphs"), "address") // the same network
	got := s.get("/graphs", "X-Forwarded-For", "203.0.113.9", "Origin", "http://localhost:1234")
	wantLimited(t, got, "address")
	if got.header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("a page cannot see that it is over the rate")
	}
}

func TestLoopbackIsExemptUnlessSaid(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.Address = 1 })
	for range 10 {
		if got := s.get("/graphs"); got.status != 200 {
			t.Fatalf("got %d", got.status)
		}
	}
	stranger := httptest.NewRequest(http.MethodGet, "http://localhost/api/v2/graphs", nil) // from 192.0.2.1
	for i := range 3 {
		answer := httptest.NewRecorder()
		s.server.Handler().ServeHTTP(answer, stranger)
		if want := []int{200, 200, 429}[i]; answer.Code != want {
			t.Errorf("request %d of a stranger: got %d, want %d", i, answer.Code, want)
		}
	}
}

func TestLoopbackCountsIfSaid(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.Address, o.Rates.Loopback = 1, true })
	for range 2 {
		if got := s.get("/graphs"); got.status != 200 {
			t.Fatalf("got %d", got.status)
		}
	}
	wantLimited(t, s.get("/graphs"), "address")
}

// TestOperatorsHaveNoRate: what probes and scrapes on a listener of its own.
func TestOperatorsHaveNoRate(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.Address, o.Rates.Loopback = 0.01, true })
	for range 5 {
		answer := httptest.NewRecorder()
		s.server.AdminHandler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
		if answer.Code != 200 {
			t.Errorf("got %d", answer.Code)
		}
	}
}

func TestNoRatesByDefault(t *testing.T) {
	s := newSite(t)
	got := s.order("g/command", createNode(ulid.Make().String()))
	if got.status != 202 || got.header.Get("RateLimit") != "" {
		t.Errorf("got %d, RateLimit %q, want 202 without", got.status, got.header.Get("RateLimit"))
	}
}

func TestSeconds(t *testing.T) {
	for want, milliseconds := range map[string]int{"1": 1000, "2": 1001, "3": 3000} {
		if got := seconds(time.Duration(milliseconds) * time.Millisecond); got != want {
			t.Errorf("%d ms: got %s, want %s", milliseconds, got, want)
		}
	}
	if got := seconds(0); got != "1" {
		t.Errorf("0: got %s, want 1", got)
	}
}

// BenchmarkCommandUnderRates is BenchmarkCommand's route, with and without rates.
func BenchmarkCommandUnderRates(b *testing.B) {
	request := rawRequest(http.MethodPost, "/api/v2/graphs/g/command", moveNode)
	for name, rates := range map[string]RateOptions{"off": {}, "on": {User: 1e8, Graph: 1e9, Address: 1e9, Connection: 1e8, Loopback: true}} {
		server := New(Services{Commands: instant{}}, Options{API: true, Development: true, Rates: rates})
		b.Run(name, func(b *testing.B) { benchmarkRaw(b, server.Handler(), request) })
	}
}
