package transport

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestAddressOfAClient(t *testing.T) {
	s := New(Services{}, Options{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("127.0.0.1/32")}})
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"nobody between", "203.0.113.9:4711", nil, "203.0.113.9"},
		{"spoofed by a peer that is not trusted", "203.0.113.9:4711", []string{"127.0.0.1"}, "203.0.113.9"},
		{"one proxy", "10.1.2.3:80", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a proxy that says nothing", "10.1.2.3:80", nil, "10.1.2.3"},
		{"a chain", "10.1.2.3:80", []string{"203.0.113.9, 10.9.9.9, 10.8.8.8"}, "203.0.113.9"},
		{"spoofed through a proxy", "10.1.2.3:80", []string{"1.1.1.1, 127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"spoofed as a trusted one beyond", "10.1.2.3:80", []string{"10.7.7.7, 203.0.113.9, 10.8.8.8"}, "203.0.113.9"},
		{"several headers", "10.1.2.3:80", []string{"1.1.1.1", "203.0.113.9", "10.9.9.9, 10.8.8.8"}, "203.0.113.9"},
		{"all are proxies", "10.1.2.3:80", []string{"10.5.5.5, 10.6.6.6"}, "10.5.5.5"},
		{"IPv6", "[2001:db8:1::7]:443", []string{"2001:db8:ffff::1"}, "2001:db8:ffff::1"},
		{"IPv6 in brackets", "[2001:db8:1::7]:443", []string{"[2001:db8:ffff::1]"}, "2001:db8:ffff::1"},
		{"IPv6 with port", "[2001:db8:1::7]:443", []string{"[2001:db8:ffff::1]:999"}, "2001:db8:ffff::1"},
		{"IPv4 with port", "10.1.2.3:80", []string{"203.0.113.9:5000"}, "203.0.113.9"},
		{"IPv4 as IPv6", "[::ffff:10.1.2.3]:80", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"a zone", "[fe80::1%eth0]:80", nil, "fe80::1"},
		{"garbage", "10.1.2.3:80", []string{"unknown"}, "10.1.2.3"},
		{"garbage behind a proxy", "10.1.2.3:80", []string{"203.0.113.9, <script>, 10.9.9.9"}, "10.9.9.9"},
		{"an empty entry", "10.1.2.3:80", []string{"203.0.113.9,,"}, "10.1.2.3"},
		{"an empty header", "10.1.2.3:80", []string{""}, "10.1.2.3"},
		{"blanks", "10.1.2.3:80", []string{" 203.0.113.9 ,\t10.9.9.9 "}, "203.0.113.9"},
		{"a peer without an address", "@", []string{"203.0.113.9"}, "invalid IP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			r.Header["X-Forwarded-For"] = test.forwarded
			if got := s.addressOf(r).String(); got != test.want {
				t.Errorf("from %s, forwarded %q: got %s, want %s", test.peer, test.forwarded, got, test.want)
			}
		})
	}
}

func TestNobodyIsTrustedByDefault(t *testing.T) {
	s := New(Services{}, Options{})
	for _, peer := range []string{"127.0.0.1:1", "10.0.0.1:1", "[::1]:1"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		r.Header.Set("X-Forwarded-Proto", "https")
		if got, want := s.addressOf(r), netip.MustParseAddrPort(peer).Addr(); got != want {
			t.Errorf("from %s: got %s", peer, got)
		}
		if s.cameByTLS(r) {
			t.Errorf("from %s: a peer that is not trusted says it came by TLS, and is believed", peer)
		}
	}
}

func TestWhoCameByTLS(t *testing.T) {
	s := New(Services{}, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, test := range []struct {
		name, peer string
		said       []string
		tls        *tls.ConnectionState
		want       bool
	}{
		{"plain", "203.0.113.9:1", nil, nil, false},
		{"own", "203.0.113.9:1", nil, &tls.ConnectionState{}, true},
		{"a proxy's word", "10.0.0.1:1", []string{"https"}, nil, true},
		{"a proxy's other word", "10.0.0.1:1", []string{"http"}, nil, false},
		{"two words", "10.0.0.1:1", []string{"https", "http"}, nil, false},
		{"a list", "10.0.0.1:1", []string{"https, http"}, nil, false},
		{"a stranger's word", "203.0.113.9:1", []string{"https"}, nil, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.TLS = test.peer, test.tls
		r.Header["X-Forwarded-Proto"] = test.said
		if got := s.cameByTLS(r); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// FuzzForwardedFor: whatever the header holds, the address is one of those it names or the peer's, and never one left of
// an address that is not trusted.
func FuzzForwardedFor(f *testing.F) {
	f.Add("203.0.113.9, 10.0.0.1")
	f.Add(",,[::1]:2,")
	s := New(Services{}, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	f.Fuzz(func(t *testing.T, line string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.9:1"
		r.Header["X-Forwarded-For"] = []string{line + ", 198.51.100.7"}
		if got := s.addressOf(r).String(); got != "198.51.100.7" {
			t.Errorf("%q before the last hop: got %s", line, got)
		}
		r.Header["X-Forwarded-For"] = []string{line}
		if got := s.addressOf(r); got.IsValid() && got.String() != "10.0.0.9" && !strings.Contains(line, ".") && !strings.Contains(line, ":") {
			t.Errorf("%q: got %s", line, got)
		}
	})
}

func TestKeyOfAnAddress(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64", "::1": "::/64",
	} {
		if got := keyOf(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
