package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"graphy/cmd/graphy/seed"
	"graphy/projection"
	"graphy/transport"
	"graphy/transport/auth/authtest"
)

// startNode returns a running process on a Redis inside, in memory.
func startNode(t *testing.T, secret string) *node {
	t.Helper()
	clearSettings(t)
	c, err := (&operatorFlags{newFolder: true}).settings(newCLI().graphsCommand())
	if err != nil {
		t.Fatal(err)
	}
	c.DataDir, c.Tokens.Secret = "", secret
	verifier, err := c.Tokens.verifier(zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	back, err := openBackend(t.Context(), c, zap.NewNop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(c, back, nil, verifier, zap.NewNop())
	ctx, stop := context.WithCancel(context.Background())
	var loops errgroup.Group
	for _, run := range []func(context.Context) error{n.recorder.Run, n.server.Run, n.projector.Run, back.run} {
		loops.Go(func() error { return run(ctx) })
	}
	t.Cleanup(func() {
		closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(n.server.Drain(closing), n.processor.Close(closing)); err != nil {
			t.Error(err)
		}
		stop()
		_ = loops.Wait() // its error is that of ctx
		_ = back.close()
	})
	return n
}

// seedOver runs the seed command against a handler.
func seedOver(t *testing.T, ctx context.Context, handler http.Handler, args ...string) ran {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	c := newCLI()
	root := c.root()
	var out, notes strings.Builder
	root.SetArgs(append([]string{"seed", "--quiet", "--server", server.URL}, args...))
	root.SetOut(&out)
	root.SetErr(&notes)
	return ran{code: execute(ctx, root, &notes), out: out.String(), errors: notes.String()}
}

// happened returns what the log of a graph says, but for times.
func happened(t *testing.T, n *node, graph string) []string {
	t.Helper()
	events, err := n.back.log.Read(t.Context(), graph, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	words := make([]string, len(events))
	for i, event := range events {
		member := func(name string) string { return string(projection.Member(event.Data, name)) }
		id := member("operationId")
		if member("commandType") == `"SET_POLICY"` {
			id = "" // the server names it
		}
		words[i] = strings.Join([]string{member("commandType"), id, member("userId"), member("clientId"), member("undoes"), member("redoes"),
			string(projection.Member(projection.Member(event.Data, "conflict"), "resolution"))}, " ")
	}
	return words
}

// verified verifies a graph, once its read models are there.
func verified(t *testing.T, n *node, graph string) {
	t.Helper()
	head, err := n.back.log.Head(t.Context(), graph)
	if err == nil {
		err = n.projector.Await(t.Context(), graph, head.Version)
	}
	if err != nil {
		t.Fatal(err)
	}
	report, err := n.keeper.Verify(t.Context(), graph)
	if err != nil || !report.OK || report.Events != int64(head.Version) {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// The same seed makes the same history on any server, each step one event, and the history verifies.
func TestSeedIsDeterministic(t *testing.T) {
	one, other := startNode(t, ""), startNode(t, "")
	for _, n := range []*node{one, other} {
		if got := seedOver(t, t.Context(), n.server.Handler(), "--graph", "demo", "--events", "400", "--seed", "5"); got.code != 0 || !strings.Contains(got.out, "400 events, version 400") {
			t.Fatalf("exit code %d: %s%s", got.code, got.out, got.errors)
		}
		verified(t, n, "demo")
	}
	first, second := happened(t, one, "demo"), happened(t, other, "demo")
	if len(first) != 400 || !slices.Equal(first, second) {
		t.Fatalf("%d and %d events, or another history", len(first), len(second))
	}
	all := strings.Join(first, "\n")
	for _, word := range []string{`"merged"`, `"manual"`, `"client"`, `"server"`, `"UNDO"`, `"REDO"`, `"RESOLVE"`, `"RESTORE"`} {
		if !strings.Contains(all, word) {
			t.Errorf("nothing is %s", word)
		}
	}
	again := seedOver(t, t.Context(), one.server.Handler(), "--graph", "demo", "--events", "400", "--seed", "5")
	if again.code != 0 || len(happened(t, one, "demo")) != 400 {
		t.Errorf("again: exit code %d: %s%s", again.code, again.out, again.errors)
	}
	if longer := seedOver(t, t.Context(), one.server.Handler(), "--graph", "demo", "--events", "420", "--seed", "5"); longer.code != 0 || len(happened(t, one, "demo")) != 420 {
		t.Errorf("longer: exit code %d: %s%s", longer.code, longer.out, longer.errors)
	}
	if another := seedOver(t, t.Context(), one.server.Handler(), "--graph", "demo", "--seed", "6"); another.code != exitRefused || len(happened(t, one, "demo")) != 420 {
		t.Errorf("another: exit code %d: %s%s", another.code, another.out, another.errors)
	}
}

// Seeds of all kinds are accepted to the last step.
func TestSeedsAreAccepted(t *testing.T) {
	n := startNode(t, "")
	for i := range uint64(4) {
		request := transport.SeedRequest{GraphID: "g" + string(rune('a'+i)), Events: 250, Users: 2 + 3*int(i), Seed: 1000 + i}
		seeded, err := n.seed(t.Context(), request, nil)
		if err != nil || seeded.Version != 250 || seeded.Events != 250 || seeded.Nodes == 0 || seeded.Edges == 0 {
			t.Errorf("%+v: %+v, %v", request, seeded, err)
		}
		verified(t, n, request.GraphID)
	}
}

// A seeding that is interrupted, or whose answers are lost, is finished by the same command, each step once.
func TestSeedGoesOn(t *testing.T) {
	n := startNode(t, "")
	var sent atomic.Int64
	ctx, interrupt := context.WithCancel(t.Context())
	faulty := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch requests := sent.Add(1); {
		case requests == 150:
			interrupt()
		case requests == 2, requests%10 == 7:
			n.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the answer is lost
		case requests%10 == 3:
			refusal(503, "unavailable", "busy")(w, r)
			return
		}
		n.server.Handler().ServeHTTP(w, r)
	})
	server := httptest.NewServer(faulty)
	defer server.Close()
	steps := seed.History(seed.Options{Events: 200})
	run := func(ctx context.Context) error {
		s := &seeder{retrier: retrier{patience: time.Hour, wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }},
			clients: func(user string) (*apiClient, error) {
				return &apiClient{server: server.URL, graph: "g", user: user, http: server.Client()}, nil
			}}
		_, err := s.run(ctx, "g", steps)
		return err
	}
	if err := run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if done := len(happened(t, n, "g")); done == 0 || done >= 200 {
		t.Fatalf("%d events after the interruption", done)
	}
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := startNode(t, "")
	if _, err := whole.seed(t.Context(), transport.SeedRequest{GraphID: "g", Events: 200}, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := happened(t, n, "g"), happened(t, whole, "g"); !slices.Equal(got, want) {
		t.Errorf("got %d events, want %d, or others", len(got), len(want))
	}
	verified(t, n, "g")
}

// Where tokens are wanted, they are made with the secret that the command has too.
func TestSeedWithTokens(t *testing.T) {
	n := startNode(t, authtest.Secret)
	if got := seedOver(t, t.Context(), n.server.Handler(), "--graph", "g", "--events", "50"); got.code != exitRefused {
		t.Errorf("without a token: exit code %d: %s", got.code, got.errors)
	}
	token := authtest.Token(t, "me", map[string]string{"g": "owner"})
	if got := seedOver(t, t.Context(), n.server.Handler(), "--graph", "g", "--events", "300", "--token", token); got.code != 0 || !strings.Contains(happened(t, n, "g")[200], `"me"`) {
		t.Errorf("with a token: exit code %d: %s", got.code, got.errors)
	}
	t.Setenv("GRAPHY_JWT_SECRET", authtest.Secret)
	if got := seedOver(t, t.Context(), n.server.Handler(), "--graph", "h", "--events", "50"); got.code != 0 {
		t.Errorf("with the secret: exit code %d: %s", got.code, got.errors)
	}
	if seeded, err := n.seed(t.Context(), transport.SeedRequest{GraphID: "i", Events: 50}, nil); err != nil || seeded.Version != 50 {
		t.Errorf("in the process: %+v, %v", seeded, err)
	}
	verified(t, n, "g")
}
