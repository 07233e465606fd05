package transport

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

var (
	exposedHeaders   = []string{"ETag, X-Cache, Allow, Retry-After, RateLimit, RateLimit-Policy"}
	preflightMethods = []string{"GET, HEAD, POST, PUT, DELETE"}
	preflightHeaders = []string{"Authorization, Content-Type, Content-Encoding, If-None-Match, Last-Event-ID, Prefer, X-Client-Id, X-User-Id"}
	preflightMaxAge  = []string{"600"}
	preflightVary    = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
)

// checkOrigin keeps out pages of foreign origins.
func (s *Server) checkOrigin(r *http.Request) error {
	if s.originAllowed(r) {
		return nil
	}
	return refuse(forbidden, "origin %.200q may not call this server", r.Header["Origin"][0])
}

// originAllowed tells whether the origin that a browser names may call: exactly one of Options.Origins or, if there are
// none, the server's own or, in development mode, any loopback one. Callers that are no browsers name none.
func (s *Server) originAllowed(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 || origins[0] == "null" { // null is anybody: a file, a sandboxed frame
		return false
	}
	if len(s.opts.Origins) > 0 {
		return slices.Contains(s.opts.Origins, origins[0])
	}
	host, ok := originHost(origins[0])
	if s.opts.Development {
		return ok && isLoopback(host)
	}
	return ok && strings.EqualFold(host, r.Host)
}

// originHost returns host and port of an http or https origin. Others ("null", extensions) are nobody's own.
func originHost(origin string) (string, bool) {
	host, ok := strings.CutPrefix(origin, "http://")
	if !ok {
		host, ok = strings.CutPrefix(origin, "https://")
	}
	return host, ok && host != "" && !strings.ContainsAny(host, "/@?#")
}

func isLoopback(host string) bool {
	if address, err := netip.ParseAddrPort(host); err == nil {
		return address.Addr().IsLoopback()
	}
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return address.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.EqualFold(name, "localhost")
}

// isForeignName tells whether a Host header has a name of the internet's. Whoever owns such a name can have it lead to
// this machine, and then has the browsers of those who work here call this server as if it were the page's own.
func isForeignName(host string) bool {
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	name = strings.TrimSuffix(name, ".")
	if !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") {
		return false // as addresses in brackets are
	}
	_, err := netip.ParseAddr(name)
	return err != nil
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

func answerPreflight(w http.ResponseWriter) {
	header := w.Header()
	header["Access-Control-Allow-Methods"] = preflightMethods
	header["Access-Control-Allow-Headers"] = preflightHeaders
	header["Access-Control-Max-Age"] = preflightMaxAge
	header["Vary"] = preflightVary
	w.WriteHeader(http.StatusNoContent)
}
