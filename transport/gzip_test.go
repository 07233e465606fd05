package transport

import (
	"net/http"
	"testing"
)

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br": false, "br, gzip": true, "gzip;q=1.0": true, "gzip; q=0.5": true,
		"gzip;q=0": false, "gzip;q=0.000": false, "*": true, "*;q=0": false, "gzip;q=0, *": false, "identity": false, "identity;q=0.5, gzip": true,
		"gzip;q=0.5, identity": false, "gzip;q=2": false, "gzip;q=x": false, "gzip;q=NaN": false, "gzip;q=-1": false, "deflate, *;q=0.1": true,
	} {
		if got := acceptsGzip(http.Header{"Accept-Encoding": {header}}); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
	if !acceptsGzip(http.Header{"Accept-Encoding": {"br", "gzip"}}) {
		t.Error("a second line is not read")
	}
	if acceptsGzip(nil) {
		t.Error("who says nothing wants nothing")
	}
}
