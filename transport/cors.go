package transport

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

var (
	exposedHeaders   = []string{"ETag, X-Cache, Retry-After, Allow"}
	preflightMethods = []string{"GET, HEAD, POST, PUT, DELETE"}
	preflightHeaders = []string{"Authorization, Content-Type, If-None-Match, Prefer, X-Client-Id, X-User-Id"}
	preflightMaxAge  = []string{"600"}
	preflightVary    = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
)

// originAllowed tells whether the origin that a browser names may call: one of Options.Origins or, if there are none,
// the server's own and, in development mode, any loopback one. Callers that are no browsers name none.
func (s *Server) originAllowed(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	if len(s.opts.Origins) > 0 {
		return slices.Contains(s.opts.Origins, origins[0])
	}
	host, ok := originHost(origins[0])
	if !ok {
		return false
	}
	return strings.EqualFold(host, r.Host) || s.opts.Development && isLoopback(host)
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
