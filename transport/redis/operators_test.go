package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"go.uber.org/zap"

	"graphy/command"
	commandredis "graphy/command/redis"
	"graphy/eventstore"
	"graphy/eventstore/archive"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	projectionredis "graphy/projection/redis"
	"graphy/projection/upkeep"
	"graphy/transport"
	"graphy/transport/redis"
)

// installation is a process with all that operators use, on a real Redis.
type installation struct {
	testing.TB
	store  *logredis.Store
	models *projectionredis.Models
	public *httptest.Server
	admin  http.Handler
}

func newInstallation(t testing.TB) *installation {
	t.Helper()
	server := redistest.Start(t)
	client := server.Client(t)
	store := logredis.New(client, server.Client(t), logredis.Options{Prefix: server.Prefix(t)})
	models := projectionredis.New(client, store.Keys(), projectionredis.Options{})
	projector := projection.NewProjector(store, models, projection.ProjectorOptions{})
	recorder := commandredis.New(client, store.Keys(), zap.NewNop())
	processor := command.New(store, models, recorder, command.Options{})
	folder, err := archive.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept, clients := archive.New(folder), redis.NewClients(client, store.Keys(), redis.ClientsOptions{})
	log := archive.Through(store, store, kept)
	serving := transport.New(transport.Services{
		Commands: processor, Log: log, Models: models, Snapshots: models, Await: projector.Await, Clients: clients,
		Ready:      func(context.Context) transport.Readiness { return transport.Readiness{OK: true} },
		Maintainer: store, Letters: models, Archive: kept, Sizes: redis.NewSizes(client, store.Keys()).Of,
		Upkeep: upkeep.New(upkeep.Stores{Log: log, Maintainer: store, Models: models, Workshop: models, Snapshots: models,
			Letters: models, Archive: kept, Needed: clients.Needed}, upkeep.Options{}),
	}, transport.Options{API: true, Realtime: true, Development: true})
	i := &installation{TB: t, store: store, models: models, admin: serving.Operator("olga"), public: httptest.NewServer(serving.Handler())}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = serving.Run(ctx) })
	running.Go(func() { _ = projector.Run(ctx) })
	running.Go(func() { _ = recorder.Run(ctx) })
	t.Cleanup(func() {
		i.public.Close()
		closing, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		_ = processor.Close(closing)
		cancel()
		running.Wait()
	})
	return i
}

// operate sends an operator's request and returns the answer, which is to have that status.
func (i *installation) operate(status int, method, path, body string, headers ...string) string {
	i.Helper()
	r := httptest.NewRequest(method, "/api/v2/admin"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for at := 0; at+1 < len(headers); at += 2 {
		r.Header.Set(headers[at], headers[at+1])
	}
	w := httptest.NewRecorder()
	i.admin.ServeHTTP(w, r)
	if w.Code != status {
		i.Fatalf("%s %s: got %d %.500s, want %d", method, path, w.Code, w.Body, status)
	}
	return w.Body.String()
}

// create writes that many versions, of which the read models know when it returns.
func (i *installation) create(graph string, count int) {
	i.Helper()
	var commands []string
	for n := range count {
		commands = append(commands, fmt.Sprintf(`{"operationId":"%s-%d","type":"CREATE_NODE","payload":{"id":"n%d"}}`, graph, n, n))
	}
	body := `{"operations":[` + strings.Join(commands, ",") + `]}`
	response, err := http.Post(i.public.URL+"/api/v2/graphs/"+graph+"/batch?wait=completed", "application/json", strings.NewReader(body))
	if err != nil {
		i.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode/100 != 2 || bytes.Contains(text, []byte(`"accepted":false`)) {
		i.Fatalf("create: %s %s", response.Status, text)
	}
	i.reached(graph, eventstore.Version(count))
}

// reached waits until the read models of graph are where the log is.
func (i *installation) reached(graph string, version eventstore.Version) {
	i.Helper()
	eventually(i, fmt.Sprint(graph, " has come to ", version), func() bool {
		checkpoint, err := i.models.Checkpoint(i.Context(), graph)
		return err == nil && checkpoint.Version == version && checkpoint.Stalled == ""
	})
}

func contains(t testing.TB, answer string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(answer, part) {
			t.Errorf("%s is not in %.1000s", part, answer)
		}
	}
}

// TestOperatorsOnRedis goes through a day of an operator.
func TestOperatorsOnRedis(t *testing.T) {
	i := newInstallation(t)
	i.create("a", 300)
	i.create("b", 3)
	list := i.operate(200, http.MethodGet, "/graphs", "")
	contains(t, list, `{"graphId":"a","version":300,"checkpoint":300,"lag":0,"lagSeconds":0,"nodes":300,"edges":0,`, `"graphId":"b"`, `"state":"ok","bytes":`)

	contains(t, i.operate(200, http.MethodPost, "/verify", `{"all":true}`), `"ok":true`, `"outcomes":{"ok":2}`, `"events":303`)
	if err := i.models.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	lines := i.operate(200, http.MethodPost, "/rebuild", `{"all":true}`, "Accept", "application/x-ndjson")
	contains(t, lines, `"type":"progress"`, `"graphId":"b","outcome":`, `"type":"end"`, `"unchanged":1`)
	i.reached("b", 3)

	contains(t, i.operate(200, http.MethodPost, "/graphs/a/copy", `{"to":"c","at":250}`), `"graphId":"c","from":"a","version":250`)
	i.reached("c", 250)
	contains(t, i.operate(200, http.MethodGet, "/graphs/a/log/diff?with=c", ""), `"same":false,"common":{"version":250,`)

	contains(t, i.operate(200, http.MethodPost, "/retain", `{"graphs":["a"],"events":100}`), `"outcome":"trimmed"`, `"first":201`, `"archived":200`)
	contains(t, i.operate(200, http.MethodGet, "/graphs/a", ""), `"first":201`, `"base":{"version":`, `"archive":[{"from":{"version":0,`)
	if shown := i.operate(200, http.MethodGet, "/graphs/a/log", ""); strings.Count(shown, "\n") != 300 {
		t.Errorf("the log has %d lines through the archive, want 300", strings.Count(shown, "\n"))
	}
	contains(t, i.operate(200, http.MethodPost, "/restore", `{"graphs":["a"]}`), `"outcome":"restored"`, `"first":1`)

	file := i.operate(200, http.MethodGet, "/export?all=true", "")
	contains(t, i.operate(200, http.MethodPost, "/import", file, "Content-Type", "application/zstd"), `"unchanged":3`)
	other := newInstallation(t)
	contains(t, other.operate(200, http.MethodPost, "/import", file, "Content-Type", "application/zstd"), `"imported":3`)
	other.reached("a", 300)
	contains(t, other.operate(200, http.MethodPost, "/verify", `{"all":true}`), `"outcomes":{"ok":3}`)

	i.operate(204, http.MethodDelete, "/graphs/a?archive=true", "")
	i.operate(404, http.MethodGet, "/graphs/a", "")
	contains(t, i.operate(200, http.MethodGet, "/graphs/a/archive", ""), `{"segments":[]}`)
}

// TestPoisonOnRedis: an event that makes no sense parks its graph, and the operator skips it.
func TestPoisonOnRedis(t *testing.T) {
	i := newInstallation(t)
	i.create("g", 3)
	head, err := i.store.Head(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(`{"version":4,"commandType":"CREATE_NODE","operationId":"bad","userId":"u","timestamp":1,"changes":[{"op":"put","kind":"comet","id":"x","value":{}}],"checksum":"0"}`)
	poison := eventstore.Event{Version: 4, Data: data, Hash: eventstore.NextHash(head.Hash, data), Operations: []string{"bad"}}
	if _, err := i.store.Append(t.Context(), "g", head, []eventstore.Event{poison}); err != nil {
		t.Fatal(err)
	}
	var list transport.Letters
	eventually(t, "there is a dead letter", func() bool {
		if err := json.Unmarshal([]byte(i.operate(200, http.MethodGet, "/deadletters?graph=g", "")), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Letters) == 1
	})
	contains(t, i.operate(200, http.MethodGet, "/graphs?state=parked", ""), `"graphId":"g"`, `"cause":"`)
	letter := list.Letters[0]
	contains(t, i.operate(200, http.MethodGet, "/deadletters/"+letter.ID, ""), `"version":4`, `comet`)
	contains(t, i.operate(200, http.MethodPost, "/deadletters/"+letter.ID+"/skip", `{"reason":"a comet"}`), `"outcome":"skipped"`, `"skipped":[4]`)
	i.reached("g", 4)
	contains(t, i.operate(200, http.MethodGet, "/graphs/g/log?since=3", ""), `"commandType":"SKIP"`, `"by":"olga"`)
	contains(t, i.operate(200, http.MethodGet, "/deadletters?closed=true", ""), `"outcome":"skipped","reason":"a comet","by":"olga"`)
	contains(t, i.operate(200, http.MethodPost, "/graphs/g/verify", ""), `"ok":true`)
	i.operate(409, http.MethodPost, "/deadletters/"+letter.ID+"/retry", `{"reason":"again"}`)
}
