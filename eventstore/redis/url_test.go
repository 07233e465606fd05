package redis

import (
	"slices"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		url                        string
		addresses                  []string
		user, password, master     string
		sentinelUser, sentinelPass string
		db                         int
		tls, single                bool
	}{
		{url: "redis://127.0.0.1:6380", addresses: []string{"127.0.0.1:6380"}, single: true},
		{url: "redis://example", addresses: []string{"example:6379"}, single: true},
		{url: "redis://user:p%40ss@example:1/3", addresses: []string{"example:1"}, user: "user", password: "p@ss", db: 3, single: true},
		{url: "rediss://example:1", addresses: []string{"example:1"}, tls: true, single: true},
		{url: "redis+cluster://a:1,b:2", addresses: []string{"a:1", "b:2"}},
		{url: "redis+cluster://:p%2Fw@a,[::1]:7/0", addresses: []string{"a:6379", "[::1]:7"}, password: "p/w"},
		{url: "rediss+cluster://a:1", addresses: []string{"a:1"}, tls: true},
		{url: "redis+sentinel://u:p@a,b:2/main/4?sentinel_user=su&sentinel_password=sp", addresses: []string{"a:26379", "b:2"},
			user: "u", password: "p", master: "main", db: 4, sentinelUser: "su", sentinelPass: "sp"},
		{url: "rediss+sentinel://a/main", addresses: []string{"a:26379"}, master: "main", tls: true},
	}
	for _, test := range tests {
		got, err := parseURL(test.url)
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		if !slices.Equal(got.InitAddress, test.addresses) || got.Username != test.user || got.Password != test.password ||
			got.SelectDB != test.db || got.Sentinel.MasterSet != test.master || got.Sentinel.Username != test.sentinelUser ||
			got.Sentinel.Password != test.sentinelPass || (got.TLSConfig != nil) != test.tls || got.ForceSingleClient != test.single {
			t.Errorf("%s: got %+v", test.url, got)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, url := range []string{"", "localhost:6379", "http://a", "redis+x://a", "redis://u:secret@a:port", "redis://u:secret@a/x",
		"redis+cluster://", "redis+cluster://u:secret@a/3", "redis+sentinel://u:secret@a", "redis+sentinel://u:secret@a/m/x",
		"redis+cluster://u:%zzsecret@a", "redis+cluster://a,,b", "redis://u:secret@[::1", "redis+cluster://a?%zz=secret"} {
		_, err := parseURL(url)
		if err == nil {
			t.Errorf("%q: no error", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", url, err)
		}
	}
}
