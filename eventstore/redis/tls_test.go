package redis_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

func TestTLS(t *testing.T) {
	server, stranger := redistest.StartTLS(t), redistest.StartTLS(t)
	address := func(ca, cert, key string) string {
		values := url.Values{}
		for name, file := range map[string]string{"ca": ca, "cert": cert, "key": key} {
			if file != "" {
				values.Set(name, file)
			}
		}
		return server.SecureURL + "?" + values.Encode()
	}
	log, _ := dial(t, address(server.CA, server.Cert, server.Key), "")
	w := writer{log: log}
	w.mustWrite(t, 10)
	startFollower(within(t, patience), t, log, "g").until(w.position())
	w.check(t)

	for name, refused := range map[string]string{
		"an authority that nobody knows": address("", server.Cert, server.Key),
		"the wrong authority":            address(stranger.CA, server.Cert, server.Key),
		"no certificate of the client":   address(server.CA, "", ""),
		"the wrong certificate":          address(server.CA, stranger.Cert, stranger.Key),
	} {
		client, subscriber, err := redis.Dial(t.Context(), refused, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := redis.Ping(within(t, time.Second), client); err == nil {
			t.Errorf("%s: the server was reached", name)
		}
		client.Close()
		subscriber.Close()
	}
}

func TestTLSParametersThatDoNotFit(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"redis://a?ca=" + empty, "redis+cluster://a?ca=" + empty, "rediss://a?ca=" + empty,
		"rediss://a?ca=/none", "rediss+cluster://a?ca=/none", "rediss+sentinel://a/m?cert=" + empty, "rediss://a?cert=" + empty + "&key=" + empty} {
		if _, _, err := redis.Dial(t.Context(), text, nil); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
