package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/eventstore/embedded"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	projectionredis "graphy/projection/redis"
	"graphy/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, redistest.IgnoreLingering()...) }

func TestUnfitRedis(t *testing.T) {
	tests := []struct {
		name            string
		args            []string
		check, severity string
		text            string
	}{
		{"evicts", []string{"--maxmemory-policy", "allkeys-lru"}, "eviction", transport.SeverityError, "allkeys-lru"},
		{"keeps nothing", []string{"--appendonly", "no", "--save", ""}, "persistence", transport.SeverityError, "nothing on disk"},
		{"full", []string{"--maxmemory", "1mb"}, "memory", transport.SeverityError, "of 1 MB"},
		{"wants replicas", []string{"--min-replicas-to-write", "1"}, "replicas", transport.SeverityError, "takes no writes"},
		{"lacks a command", []string{"--rename-command", "XTRIM", ""}, "scripts", transport.SeverityError, "trim:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.StartOwn(t, test.args...)
			diagnosis := diagnose(t, optionsOf(t, server.URL, "p:"))
			want(t, diagnosis, test.check, test.severity, test.text)
			want(t, diagnosis, "tokens", transport.SeverityInfo, "") // the others are there too
			if diagnosis.Severity != transport.SeverityError {
				t.Errorf("severity is %s", diagnosis.Severity)
			}
			if of(t, diagnosis, test.check).Remedy == "" {
				t.Error("there is no remedy")
			}
			nothingLeft(t, server.Client(t), "p:")
		})
	}
}

func TestReplicasAreWanted(t *testing.T) {
	opts := optionsOf(t, redistest.Start(t).URL, redistest.Start(t).Prefix(t))
	opts.Replicas = 2
	want(t, diagnose(t, opts), "replicas", transport.SeverityWarning, "has 0 replicas, 2 are wanted")
}

func TestRedisIsAway(t *testing.T) {
	server := redistest.StartOwn(t)
	opts := optionsOf(t, server.URL, "")
	opts.Timeout = 2 * time.Second
	for name, away := range map[string]func(){"frozen": server.Freeze, "gone": server.Kill} {
		away()
		began := time.Now()
		diagnosis := diagnose(t, opts)
		want(t, diagnosis, "redis", transport.SeverityError, "out of reach")
		want(t, diagnosis, "tokens", transport.SeverityInfo, "")
		if len(diagnosis.Findings) != 3 || time.Since(began) > 30*time.Second {
			t.Errorf("%s: after %v:\n%s", name, time.Since(began), words(diagnosis))
		}
		server.Thaw()
	}
}

// TestNoCheckHidesOthers: a check that does not heed its deadline is answered for.
func TestNoCheckHidesOthers(t *testing.T) {
	d := New(optionsOf(t, redistest.Start(t).URL, ""))
	d.opts.Timeout = 10 * time.Millisecond
	hang := make(chan struct{})
	ended := make(chan struct{})
	found := d.run(t.Context(), check{"hangs", always, 1, func(context.Context, *look) []finding {
		defer close(ended)
		<-hang
		return nil
	}}, &look{Doctor: d})
	if len(found) != 1 || found[0].Check != "hangs" || found[0].Severity != transport.SeverityError {
		t.Errorf("got %+v", found)
	}
	close(hang)
	<-ended
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Diagnose(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Diagnose of an ended context: %v", err)
	}
}

func TestClockIsOff(t *testing.T) {
	server := miniredis.RunT(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true, ForceSingleClient: true, AlwaysRESP2: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	l := &look{nodes: []node{{client: client}}}
	for off, severity := range map[time.Duration]string{0: "ok", 10 * time.Second: "warning", -time.Hour: "error"} {
		server.SetTime(time.Now().Add(off))
		if found := checkClock(t.Context(), l); len(found) != 1 || found[0].Severity != severity {
			t.Errorf("%v off: got %+v, want %s", off, found, severity)
		}
	}
}

// scene is a graph on a Redis, and a Doctor that looks at it.
type scene struct {
	opts   Options
	client rueidis.Client
	keys   redis.Keys
	models *projectionredis.Models
	trip   *roundTrip
}

func newScene(t *testing.T) *scene {
	t.Helper()
	server := redistest.Start(t)
	opts := optionsOf(t, server.URL, server.Prefix(t))
	s := &scene{opts: opts, client: opts.Client, keys: opts.Store.Keys(), trip: &roundTrip{graph: "g"},
		models: projectionredis.New(opts.Client, opts.Store.Keys(), projectionredis.Options{})}
	if err := s.trip.history(); err != nil {
		t.Fatal(err)
	}
	if _, err := opts.Store.Append(t.Context(), "g", eventstore.Position{}, s.trip.events); err != nil {
		t.Fatal(err)
	}
	return s
}

// project brings the read models up to date.
func (s *scene) project(t *testing.T) {
	t.Helper()
	gathering := projection.Gather(projection.NewGraph("g"))
	err := gathering.Fold(s.trip.events...)
	if err == nil {
		err = s.models.Commit(t.Context(), "g", eventstore.Position{}, gathering.Update())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestParkedGraphAndItsLetter(t *testing.T) {
	s := newScene(t)
	letter := projection.DeadLetter{Graph: "g", Version: 1, Cause: "poison", Attempts: 3, Time: 1}
	if err := s.models.Stall(t.Context(), "g", eventstore.Position{}, letter); err != nil {
		t.Fatal(err)
	}
	diagnosis := diagnose(t, s.opts)
	want(t, diagnosis, "parked", transport.SeverityError, "graph g has stopped")
	want(t, diagnosis, "deadletters", transport.SeverityWarning, "1 open dead letters, the newest of version 1 of g: poison")
}

func TestLag(t *testing.T) {
	s := newScene(t)
	l := &look{Doctor: New(s.opts)}
	if found := checkLag(t.Context(), l); found[0].Severity != transport.SeverityWarning { // nobody projects; nothing is late yet
		t.Errorf("at once: %+v", found)
	}
	old := s.trip.events[2].Position() // an event of long ago follows
	event := projection.Event{Version: 4, CommandType: "SET_VIEWPORT", OperationID: "o", UserID: "u", ClientID: "c", Timestamp: 1, WrittenAt: 1,
		Request: "00000000", Checksum: s.trip.folded.Checksum.String()}
	data := event.AppendJSON(nil)
	s.project(t)
	late := eventstore.Event{Version: 4, Data: data, Hash: eventstore.NextHash(old.Hash, data)}
	if _, err := s.opts.Store.Append(t.Context(), "g", old, []eventstore.Event{late}); err != nil {
		t.Fatal(err)
	}
	want(t, diagnose(t, s.opts), "lag", transport.SeverityError, "1 graphs are behind by 1 events")
}

func TestDamagedCheckpoint(t *testing.T) {
	s := newScene(t)
	set := s.client.B().Set().Key(s.keys.State("g")).Value("not a hash").Build()
	if err := s.client.Do(t.Context(), set).Error(); err != nil {
		t.Fatal(err)
	}
	for _, sound := range []string{"a", "f", "h", "z"} { // before and after it in every order
		for _, list := range []string{s.keys.GraphsOf(sound), s.keys.GraphsActive()} { // named, and without an event yet
			if err := s.client.Do(t.Context(), s.client.B().Zadd().Key(list).ScoreMember().ScoreMember(0, sound).Build()).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	diagnosis := diagnose(t, s.opts)
	want(t, diagnosis, "parked", transport.SeverityError, "checkpoint of graph g is damaged")
	want(t, diagnosis, "lag", transport.SeverityError, "graph g cannot be read")
	want(t, diagnosis, "scripts", transport.SeverityOK, "")
}

func TestStaleSessions(t *testing.T) {
	s := newScene(t)
	set := s.client.B().Hset().Key(s.keys.Connections("g")).FieldValue().FieldValue("c 1", "3 1000").
		FieldValue("c 2", fmt.Sprint("3 ", time.Now().UnixMilli())).Build()
	if err := s.client.Do(t.Context(), set).Error(); err != nil {
		t.Fatal(err)
	}
	want(t, diagnose(t, s.opts), "sessions", transport.SeverityInfo, "1 connections to graph g")
}

func TestLeftovers(t *testing.T) {
	s := newScene(t)
	rewriting, err := s.opts.Store.Rewrite(t.Context(), "g", eventstore.Base{})
	if err == nil {
		err = rewriting.Write(t.Context(), s.trip.events)
	}
	if err != nil {
		t.Fatal(err)
	}
	want(t, diagnose(t, s.opts), "leftovers", transport.SeverityOK, "go away by themselves")
	for name, find := range map[string]func() (string, error){
		"rewritten": func() (string, error) {
			tokens, err := s.client.Do(t.Context(), s.client.B().Smembers().Key(s.keys.Rewrites("g")).Build()).AsStrSlice()
			return s.keys.Rewrite("g", strings.Join(tokens, ""), "events"), err
		},
		"staged, of a graph that is gone": func() (string, error) {
			key := s.keys.Staged("gone", "token", s.keys.Nodes("gone"))
			return key, s.client.Do(t.Context(), s.client.B().Hset().Key(key).FieldValue().FieldValue("a", "b").Build()).Error()
		},
	} {
		key, err := find()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.client.Do(t.Context(), s.client.B().Persist().Key(key).Build()).Error(); err != nil {
			t.Fatal(err)
		}
		diagnosis := diagnose(t, s.opts)
		want(t, diagnosis, "leftovers", transport.SeverityWarning, key)
		if err := s.client.Do(t.Context(), s.client.B().Del().Key(key).Build()).Error(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestGrowth(t *testing.T) {
	s := newScene(t)
	head := s.trip.events[2].Position()
	var events []eventstore.Event
	for range fewEvents {
		data := fmt.Appendf(nil, `{"version":%d}`, head.Version+1)
		event := eventstore.Event{Version: head.Version + 1, Data: data, Hash: eventstore.NextHash(head.Hash, data)}
		events, head = append(events, event), event.Position()
	}
	if _, err := s.opts.Store.Append(t.Context(), "g", s.trip.events[2].Position(), events); err != nil {
		t.Fatal(err)
	}
	want(t, diagnose(t, s.opts), "growth", transport.SeverityOK, "An event takes about")
}

func TestGrowthIsJudged(t *testing.T) {
	l := &look{nodes: []node{{info: map[string]string{"used_memory": "900", "maxmemory": "1000", "role": "master"}},
		{info: map[string]string{"used_memory": "10", "maxmemory": "1000", "role": "slave"}},
		{info: map[string]string{"used_memory": "10", "maxmemory": "0", "total_system_memory": "500", "role": "master"}}}}
	if left, known := l.headroom(); !known || left != 200 { // two masters, the fuller of which has 100
		t.Errorf("got %d, %v, want 200", left, known)
	}
	l.nodes[0].info["maxmemory"] = ""
	if _, known := l.headroom(); known {
		t.Error("known although a master does not tell")
	}
}

func TestSaves(t *testing.T) {
	l := &look{nodes: []node{{info: map[string]string{"aof_last_write_status": "err", "rdb_last_bgsave_status": "ok", "loading": "1"}}}}
	found := checkSaves(t.Context(), l)
	if len(found) != 2 || worst(found) != transport.SeverityError || !strings.Contains(found[1].Text, "aof_last_write_status is err") {
		t.Errorf("got %+v", found)
	}
}

func TestLateReplica(t *testing.T) {
	l := &look{Doctor: &Doctor{}, nodes: []node{{info: map[string]string{"role": "master", "connected_slaves": "2", "master_repl_offset": "200000000",
		"slave0": "ip=1.2.3.4,port=1,state=online,offset=200000000,lag=1", "slave1": "ip=1.2.3.5,port=2,state=online,offset=100,lag=1"}}}}
	found := checkReplicas(t.Context(), l)
	if len(found) != 1 || found[0].Severity != transport.SeverityWarning || !strings.Contains(found[0].Text, "1.2.3.5:2 is behind") {
		t.Errorf("got %+v", found)
	}
}

func TestArchive(t *testing.T) {
	dir := t.TempDir()
	location := filepath.Join(dir, "archive")
	store, err := archive.OpenStore(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	l := &look{Doctor: &Doctor{opts: Options{Archive: archive.New(store)}}}
	if found := checkArchive(t.Context(), l); found[0].Severity != transport.SeverityOK {
		t.Errorf("got %+v", found)
	}
	files := 0
	_ = filepath.WalkDir(location, func(_ string, entry os.DirEntry, _ error) error {
		if entry != nil && !entry.IsDir() {
			files++
		}
		return nil
	})
	if files > 0 {
		t.Errorf("the probe left %d files behind", files)
	}
	if err := os.RemoveAll(location); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(location, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found := checkArchive(t.Context(), l); found[0].Severity != transport.SeverityError {
		t.Errorf("a file in its place: got %+v", found)
	}
}

func TestTokens(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"/keys":     func(w http.ResponseWriter) { fmt.Fprint(w, `{"keys":[{"kty":"RSA"},{}]}`) },
		"/none":     func(w http.ResponseWriter) { fmt.Fprint(w, `{"keys":[]}`) },
		"/page":     func(w http.ResponseWriter) { fmt.Fprint(w, `<html>`) },
		"/broken":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"/redirect": func(w http.ResponseWriter) { w.Header().Set("Location", "/keys"); w.WriteHeader(http.StatusFound) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w) }))
	defer server.Close()
	for path := range answers {
		l := &look{Doctor: &Doctor{opts: Options{JWKSURL: server.URL + path}}}
		severity := transport.SeverityError
		if path == "/keys" {
			severity = transport.SeverityOK
		}
		if found := checkTokens(t.Context(), l); found[0].Severity != severity {
			t.Errorf("%s: got %+v, want %s", path, found, severity)
		}
	}
}

func TestJournalOfALostFolder(t *testing.T) {
	dir := t.TempDir()
	store, err := embedded.Open(t.Context(), embedded.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l := &look{Doctor: &Doctor{opts: Options{Embedded: store, DataDir: filepath.Join(dir, "data")}}}
	if found := checkJournal(t.Context(), l); found[0].Severity != transport.SeverityOK {
		t.Errorf("got %+v", found)
	}
	if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	if found := checkJournal(t.Context(), l); found[0].Severity != transport.SeverityError {
		t.Errorf("a folder that is gone: got %+v", found)
	}
}
