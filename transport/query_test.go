package transport

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"graphy/command"
)

// FuzzQuery holds the strict reader against the lenient one of net/url: what it accepts, both read alike.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "since=1&limit=2", "since=1&since=2", "a=%zz", "&&a=1&", "since=99999999999999999999", "limit=0", "wait=-1", "hash=%41+b", "a;b=1", "=1", "since"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q := parseQuery(raw)
		since := q.version("since")
		limit := q.count("limit", 7, 5000)
		wait := q.millis("wait", 0, 30*time.Second)
		hash, hasHash := q.take("hash")
		err := q.done()
		if err != nil {
			var refusal *command.Error
			if !errors.As(err, &refusal) || refusal.Code != invalidQuery || refusal.Detail == "" {
				t.Fatalf("%q: error %v is no refusal of the query", raw, err)
			}
			return
		}
		if since > maxVersion || limit < 1 || limit > 5000 || wait < 0 || wait > 30*time.Second {
			t.Errorf("%q: since %d, limit %d, wait %v is out of range", raw, since, limit, wait)
		}
		if strings.Contains(raw, ";") {
			return // net/url refuses it
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q: accepted, net/url says %v", raw, err)
		}
		for name, all := range values {
			if len(all) != 1 || name != "since" && name != "limit" && name != "wait" && name != "hash" {
				t.Errorf("%q: parameter %q = %q was accepted", raw, name, all)
			}
		}
		if values.Get("hash") != hash || values.Has("hash") != hasHash {
			t.Errorf("%q: hash is %q, net/url reads %q", raw, hash, values.Get("hash"))
		}
	})
}
