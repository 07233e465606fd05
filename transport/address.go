package transport

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf returns where a request comes from: the peer, or, where that is one of Options.TrustedProxies, the last
// address in X-Forwarded-For that is none of them. What stands left of that one was written by nobody known. An entry
// that is no address ends the walk at the proxy that passed it on. The zero address says that nothing is known, as of a
// peer without IP.
func (s *Server) addressOf(r *http.Request) netip.Addr {
	client := peerOf(r)
	if !s.trusts(client) {
		return client
	}
	lines := r.Header["X-Forwarded-For"]
	for _, line := range slices.Backward(lines) { // one list over all lines, as any list in HTTP
		for line != "" {
			comma := strings.LastIndexByte(line, ',')
			hop, ok := parseHop(line[comma+1:])
			if !ok {
				return client
			}
			if client = hop; !s.trusts(client) {
				return client
			}
			line = line[:max(comma, 0)]
		}
	}
	return client
}

// cameByTLS tells whether the client's connection is encrypted: here, or where a trusted proxy ends it and says so.
func (s *Server) cameByTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	said := r.Header["X-Forwarded-Proto"]
	return len(said) == 1 && strings.EqualFold(said[0], "https") && s.trusts(peerOf(r))
}

// trusts tells whether what a peer says of others counts.
func (s *Server) trusts(peer netip.Addr) bool {
	return slices.ContainsFunc(s.opts.TrustedProxies, func(proxies netip.Prefix) bool { return proxies.Contains(peer) })
}

// peerOf returns the address at the other end of the connection.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain(peer.Addr())
}

// parseHop reads an entry of X-Forwarded-For: an address, which some proxies write with a port.
func parseHop(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(entry)
		return plain(withPort.Addr()), err == nil
	}
	return plain(address), true
}

// plain writes an address in the one way in which it is compared: IPv4 as such, and without a zone.
func plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }
