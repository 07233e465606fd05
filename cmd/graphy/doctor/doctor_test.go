package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore/embedded"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/transport"
)

// optionsOf has a Doctor look at a Redis by its URL.
func optionsOf(t testing.TB, url, prefix string) Options {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client, subscriber, err := redis.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	t.Cleanup(subscriber.Close)
	store := redis.New(client, subscriber, redis.Options{Prefix: prefix})
	return Options{Client: client, Store: store, Log: store, Timeout: 10 * time.Second}
}

func diagnose(t testing.TB, opts Options) transport.Diagnosis {
	t.Helper()
	diagnosis, err := New(opts).Diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return diagnosis
}

// of returns the worst finding of a check.
func of(t testing.TB, diagnosis transport.Diagnosis, check string) finding {
	t.Helper()
	var worstOne finding
	for _, f := range diagnosis.Findings {
		if f.Check == check && slices.Index(severities, f.Severity) >= slices.Index(severities, worstOne.Severity) {
			worstOne = f
		}
	}
	if worstOne.Check == "" {
		t.Fatalf("there is no finding of %q in\n%s", check, words(diagnosis))
	}
	return worstOne
}

func words(diagnosis transport.Diagnosis) string {
	var text strings.Builder
	for _, f := range diagnosis.Findings {
		fmt.Fprintf(&text, "%-8s %-12s %s → %s\n", f.Severity, f.Check, f.Text, f.Remedy)
	}
	return text.String()
}

// want checks severity and text of a check's worst finding.
func want(t testing.TB, diagnosis transport.Diagnosis, check, severity, text string) {
	t.Helper()
	if got := of(t, diagnosis, check); got.Severity != severity || !strings.Contains(got.Text, text) {
		t.Errorf("%s: got %s: %s, want %s: …%s…", check, got.Severity, got.Text, severity, text)
	}
}

// nothingLeft checks that no key begins with prefix.
func nothingLeft(t testing.TB, client rueidis.Client, prefix string) {
	t.Helper()
	for address, node := range client.Nodes() {
		keys, err := node.Do(t.Context(), node.B().Keys().Pattern(prefix+"*").Build()).AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) > 0 {
			t.Errorf("left behind at %s: %q", address, keys)
		}
	}
}

func TestHealthyRedis(t *testing.T) {
	server := redistest.Start(t)
	opts := optionsOf(t, server.URL, server.Prefix(t))
	diagnosis := diagnose(t, opts)
	t.Log("\n" + words(diagnosis))
	for _, check := range []string{"redis", "version", "eviction", "persistence", "saves", "clock", "rights", "scripts", "pubsub",
		"parked", "deadletters", "sessions", "leftovers"} {
		want(t, diagnosis, check, transport.SeverityOK, "")
	}
	if diagnosis.Severity != transport.SeverityWarning { // no projector is at work
		t.Errorf("severity is %s, want warning", diagnosis.Severity)
	}
	nothingLeft(t, opts.Client, opts.Store.Keys().Prefix)
}

func TestHealthyCluster(t *testing.T) {
	cluster := redistest.StartClusterWithReplicas(t)
	var addresses []string
	for _, node := range cluster.Masters {
		addresses = append(addresses, node.Addr)
	}
	opts := optionsOf(t, "redis+cluster://"+strings.Join(addresses, ","), cluster.Prefix(t))
	diagnosis := diagnose(t, opts)
	t.Log("\n" + words(diagnosis))
	for _, check := range []string{"redis", "version", "eviction", "persistence", "saves", "replicas", "clock", "rights", "scripts", "pubsub",
		"parked", "deadletters", "sessions", "leftovers"} {
		want(t, diagnosis, check, transport.SeverityOK, "")
	}
	for _, node := range cluster.Masters {
		nothingLeft(t, node.Client(t), opts.Store.Keys().Prefix)
	}
}

func TestHealthyBehindSentinels(t *testing.T) {
	watched := redistest.StartSentinels(t)
	opts := optionsOf(t, watched.URL, watched.Master.Prefix(t))
	diagnosis := diagnose(t, opts)
	t.Log("\n" + words(diagnosis))
	for _, check := range []string{"redis", "version", "eviction", "rights", "scripts", "pubsub", "replicas"} {
		want(t, diagnosis, check, transport.SeverityOK, "")
	}
}

func TestHealthyEmbedded(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		store, err := embedded.Open(t.Context(), embedded.Options{Dir: dir, Prefix: "p:"})
		if err != nil {
			t.Fatal(err)
		}
		diagnosis := diagnose(t, Options{Client: store.Client(), Store: store.Store, Log: store, Embedded: store, DataDir: dir, Secret: true})
		t.Log("\n" + words(diagnosis))
		for _, check := range []string{"redis", "clock", "scripts", "pubsub", "lag", "parked", "deadletters", "sessions", "leftovers", "tokens"} {
			want(t, diagnosis, check, transport.SeverityOK, "")
		}
		severity := transport.SeverityOK
		if dir == "" {
			severity = transport.SeverityWarning // all is lost at the end
		}
		want(t, diagnosis, "journal", severity, "")
		nothingLeft(t, store.Client(), "")
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
