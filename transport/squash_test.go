package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
)

// squashedAnswer is the answer to a squash.
type squashedAnswer struct {
	Status  string
	Changes []struct {
		Version        eventstore.Version
		Squashed       bool
		Changes        json.RawMessage
		Checksum, Hash string
	}
	CurrentVersion eventstore.Version
	Hash           string
	HasMore        bool
}

func (s *site) squash(query string) (answer squashedAnswer) {
	s.t.Helper()
	got := s.get("/graphs/g/changes?squash=true&" + query)
	if err := json.Unmarshal(got.raw, &answer); err != nil || got.status != 200 || len(got.json) != 5 {
		s.t.Fatalf("%s: got %d %.300s: %v", query, got.status, got.raw, err)
	}
	return answer
}

// TestI4SquashedChangesLeadToTheSameState squashes one page of the log, and many.
func TestI4SquashedChangesLeadToTheSameState(t *testing.T) {
	s := newSite(t)
	const head = 3*runPage + 10
	want := s.append(nil, "g", head).Graph
	for _, since := range []eventstore.Version{0, 1, 7, runPage, head - runPage - 1, head - runPage, head - 3, head - 1} {
		g := s.folded("g", since)
		answer := s.squash(fmt.Sprintf("since=%d&hash=%s&limit=2", since, g.Position.Hash))
		if answer.Status != "behind" || answer.HasMore || answer.CurrentVersion != head || answer.Hash != string(want.Position.Hash) || len(answer.Changes) != 1 {
			t.Fatalf("since %d: got %+.500v", since, answer)
		}
		entry := answer.Changes[0]
		if !entry.Squashed || entry.Version != head || entry.Checksum != want.Checksum.String() || entry.Hash != answer.Hash {
			t.Errorf("since %d: the entry is %+.500v", since, entry)
		}
		applied(t, g, entry.Changes)
		wantEntities(t, g, want)
	}
}

func TestSquashedAnswer(t *testing.T) {
	s := newSite(t)
	s.accept("g", `{"type":"UPDATE_VIEWPORT","payload":{"x":1}}`)
	s.accept("g", `{"type":"UPDATE_VIEWPORT","payload":{"x":2}}`)
	first, head := s.folded("g", 1).Position, s.head("g")
	got := s.get("/graphs/g/changes?since=0&squash=true")
	want := fmt.Sprintf(`{"status":"behind","changes":[{"version":2,"squashed":true,"changes":[{"op":"put","kind":"viewport","id":"viewport","value":{"x":2,"y":0,"zoom":1}}],`+
		`"checksum":%q,"hash":%q}],"currentVersion":2,"hash":%q,"hasMore":false}`, s.folded("g", 2).Checksum, head.Hash, head.Hash)
	if string(got.raw) != want {
		t.Errorf("got  %s\nwant %s", got.raw, want)
	}
	if got := s.get("/graphs/g/changes?since=1&squash=false"); got.json["changes"].([]any)[0].(map[string]any)["commandType"] != "UPDATE_VIEWPORT" {
		t.Errorf("squash=false: got %s", got.raw)
	}
	for query, status := range map[string]string{
		"since=2": "in_sync", "since=2&hash=" + string(head.Hash): "in_sync", "since=1&hash=" + string(first.Hash): "behind",
		"since=2&hash=" + string(first.Hash): "conflict", "since=1&hash=" + string(head.Hash): "conflict", "since=3": "conflict",
	} {
		got := s.get("/graphs/g/changes?squash=true&" + query)
		changes := got.json["changes"].([]any)
		switch {
		case got.json["status"] != status || got.json["currentVersion"] != 2.0 || got.json["hash"] != string(head.Hash) || got.json["hasMore"] != false:
			t.Errorf("%s: got %s, want %s", query, got.raw, status)
		case status == "in_sync" && len(changes) != 0:
			t.Errorf("%s: got %s, want no changes", query, got.raw)
		case status == "conflict" && (len(changes) != 1 || changes[0].(map[string]any)["type"] != "FULL_UPDATE"):
			t.Errorf("%s: got %s, want a full update", query, got.raw)
		}
	}
	s.onLog(trimmedLog{s.log, 2})
	if got := s.get("/graphs/g/changes?since=0&squash=true"); got.json["status"] != "reset" {
		t.Errorf("trimmed: got %s", got.raw)
	}
	if head := s.call(http.MethodHead, "/api/v2/graphs/g/changes?since=1&squash=true", ""); head.status != 200 || len(head.raw) > 0 {
		t.Errorf("HEAD: got %d %s", head.status, head.raw)
	}
	wantProblem(t, s.get("/graphs/g/changes?squash=true", "Accept", "text/event-stream"), 400, "invalid-query")
}

// TestSquashOfALogThatChangesMeanwhile trims the log, and begins it anew, between two pages.
func TestSquashOfALogThatChangesMeanwhile(t *testing.T) {
	const head = 3 * runPage
	tests := []struct {
		name   string
		change func(s *site, log *shiftingLog)
		status string
		at     eventstore.Version
	}{
		{"trimmed", func(_ *site, log *shiftingLog) { log.first = 2*runPage + 1 }, "reset", head},
		{"deleted", func(s *site, _ *shiftingLog) { _ = s.log.Delete(s.t.Context(), "g") }, "in_sync", 0},
		{"begun anew", func(s *site, _ *shiftingLog) {
			_ = s.log.Delete(s.t.Context(), "g")
			s.append(nil, "g", runPage+5)
		}, "behind", runPage + 5},
	}
	for _, test := range tests {
		s := newSite(t)
		s.append(nil, "g", head)
		if err := s.projector.Await(t.Context(), "g", head); err != nil {
			t.Fatal(err)
		}
		log := &shiftingLog{Log: s.log}
		log.before = func(read int) {
			if read == 2 {
				test.change(s, log)
			}
		}
		s.onLog(log)
		answer := s.squash("since=0")
		if answer.Status != test.status || answer.CurrentVersion != test.at || answer.HasMore {
			t.Errorf("%s: got %.500v, want %s at %d", test.name, answer, test.status, test.at)
		}
		if answer.Status == "behind" {
			g := projection.NewGraph("g")
			applied(t, g, answer.Changes[0].Changes)
			wantEntities(t, g, s.folded("g", test.at))
		}
	}
}

func TestSquashOfADamagedLog(t *testing.T) {
	s := newSite(t)
	s.append(nil, "g", 2*runPage)
	s.onLog(damagedLog{s.log, runPage + 3})
	wantProblem(t, s.get("/graphs/g/changes?squash=true"), 503, "unavailable")
	wantProblem(t, s.get("/graphs/g/diff?from=1"), 503, "unavailable")
	if got := s.get("/graphs/g/diff?to=500"); got.status != 200 {
		t.Errorf("before the damage: got %d %s", got.status, got.raw)
	}
}

// damagedLog is a log in which somebody has edited an event.
type damagedLog struct {
	eventstore.Log
	at eventstore.Version
}

func (l damagedLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	page, err := l.Log.Read(ctx, stream, after, limit)
	for i := range page {
		if page[i].Version == l.at {
			page[i].Data = bytes.Replace(page[i].Data, []byte(`"userId":"u1"`), []byte(`"userId":"u2"`), 1)
		}
	}
	return page, err
}
