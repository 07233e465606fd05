package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

func TestQueries(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		g := "/graphs/" + graph
		empty := s.get(t, g+"/state").object(t)
		if empty.version() != 0 || empty.text("hash") != "" || empty.text("checksum") != "0000000000000000" || empty.at("viewport", "zoom") != 1.0 ||
			empty.list("nodes") == nil || empty.list("edges") == nil || empty.text("graphId") != graph {
			t.Errorf("unknown graph: %v", empty)
		}
		s.fill(t, graph, 300)
		s.accept(t, graph, "UPDATE_NODE", object{"nodeId": "n0", "updates": object{"data": object{"completed": true}}})
		s.accept(t, graph, "CREATE_EDGE", object{"id": "e1", "source": "n0", "target": "n1"})
		last := s.accept(t, graph, "CREATE_EDGE", object{"id": "e2", "source": "n2", "target": "n0"}, "X-User-Id: eve")
		s.fold(t, graph)

		r := s.get(t, g+"/state")
		tag := r.header.Get("ETag")
		if tag == "" || r.header.Get("X-Cache") == "" || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("headers of state: %v", r.header)
		}
		if again := s.get(t, g+"/state"); again.header.Get("X-Cache") != "HIT" || !bytes.Equal(again.body, r.body) {
			t.Errorf("state again: X-Cache %q", again.header.Get("X-Cache"))
		}
		for _, match := range []string{tag, `"other", ` + tag, "*", "W/" + strings.TrimPrefix(tag, "W/")} {
			if none := s.get(t, g+"/state", "If-None-Match: "+match); none.status != 304 || len(none.body) > 0 || none.header.Get("ETag") != tag {
				t.Errorf("If-None-Match %s: %v", match, none)
			}
		}
		if other := s.get(t, g+"/state", `If-None-Match: "other"`); other.status != 200 {
			t.Errorf("another ETag: %d", other.status)
		}
		zipped := s.get(t, g+"/state", "Accept-Encoding: gzip")
		if zipped.header.Get("Content-Encoding") != "gzip" || !strings.Contains(strings.Join(zipped.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("gzip: %v", zipped.header)
		} else if reader, err := gzip.NewReader(bytes.NewReader(zipped.body)); err != nil {
			t.Error(err)
		} else if plain, err := io.ReadAll(reader); err != nil || !bytes.Equal(plain, r.body) {
			t.Errorf("gzip is not the same: %v", err)
		}
		if refused := s.get(t, g+"/state", "Accept-Encoding: gzip;q=0"); refused.header.Get("Content-Encoding") != "" {
			t.Error("gzip was sent to who refuses it")
		}

		if nodes := s.get(t, g+"/nodes").object(t).list("nodes"); len(nodes) != 300 {
			t.Errorf("%d nodes", len(nodes))
		}
		if edges := s.get(t, g+"/edges").object(t).list("edges"); len(edges) != 2 {
			t.Errorf("%d edges", len(edges))
		}
		if edges := s.get(t, g+"/nodes/n0/edges").object(t).list("edges"); len(edges) != 2 {
			t.Errorf("%d edges at n0", len(edges))
		}
		if edges := s.get(t, g+"/nodes/n2/edges").object(t); edges.text("edges", 0, "id") != "e2" {
			t.Errorf("edges at n2: %v", edges)
		}
		if node := s.get(t, g+"/nodes/n7"); node.status != 200 || node.object(t).text("id") != "n7" {
			t.Errorf("a node: %v", node)
		}
		if edge := s.get(t, g+"/edges/e1"); edge.status != 200 || edge.object(t).text("target") != "n1" {
			t.Errorf("an edge: %v", edge)
		}
		stats := s.get(t, g+"/stats").object(t)
		if stats.version() != last.version() || stats.at("nodes") != 300.0 || stats.at("edges") != 2.0 || stats.at("events") != 4.0 ||
			stats.at("byType", "CREATE_EDGE") != 2.0 || stats.at("byType", "BATCH") != 1.0 || stats.at("progress") == nil {
			t.Errorf("stats: %v", stats)
		}
		history := s.get(t, g+"/history?limit=2").object(t)
		if len(history.list("events")) != 2 || history.version("events", 0) != 4 || history.version("events", 1) != 3 {
			t.Errorf("history: %.300v", history)
		}
		if eve := s.get(t, g+"/history?user=eve").object(t); len(eve.list("events")) != 1 || eve.version("events", 0) != 4 {
			t.Errorf("history of eve: %.300v", eve)
		}
		if before := s.get(t, g+"/history?before=3&limit=1").object(t); before.version("events", 0) != 2 {
			t.Errorf("history before 3: %.300v", before)
		}
		found, cursor := false, ""
		for range 1000 {
			page := s.get(t, "/graphs?limit=3&cursor="+cursor).object(t)
			for _, item := range page.list("graphs") {
				if o := object(item.(map[string]any)); o.text("graphId") == graph {
					found = o.version() == 4 && o.at("nodes") == 300.0 && o.at("edges") == 2.0
				}
			}
			if cursor = page.text("cursor"); cursor == "" {
				break
			}
		}
		if !found || cursor != "" {
			t.Errorf("the list of graphs: found %t, cursor %q", found, cursor)
		}
		if head := s.call(t, "HEAD", g+"/state", ""); head.status != 200 || len(head.body) > 0 {
			t.Errorf("HEAD: %v", head)
		}
	})
}

func TestChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		g := "/graphs/" + graph
		if o := s.get(t, g+"/changes").object(t); o.text("status") != "in_sync" || o.at("currentVersion") != 0.0 || len(o.list("changes")) != 0 {
			t.Errorf("of an unknown graph: %v", o)
		}
		s.fill(t, graph, 1)
		for i := range 9 {
			s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": i})
		}
		all := s.get(t, g+"/changes?since=0").object(t)
		if all.text("status") != "behind" || len(all.list("changes")) != 10 || all.at("hasMore") != false || all.text("hash") != all.text("changes", 9, "hash") {
			t.Errorf("since 0: %.300v", all)
		}
		page := s.get(t, g+"/changes?since=3&limit=4").object(t)
		if page.version("changes", 0) != 4 || page.version("changes", 3) != 7 || page.at("hasMore") != true || page.at("currentVersion") != 10.0 ||
			page.text("hash") != page.text("changes", 3, "hash") {
			t.Errorf("a page: %.300v", page)
		}
		if o := s.get(t, g+"/changes?since=10").object(t); o.text("status") != "in_sync" || o.list("changes") == nil || len(o.list("changes")) != 0 || o.text("hash") != all.text("hash") {
			t.Errorf("since the head: %v", o)
		}
		s.state(t, graph, 10) // a full update is the read model, which may be a little behind
		for _, query := range []string{"since=11", "since=3&hash=00000000000000000000000000000000"} {
			o := s.get(t, g+"/changes?"+query).object(t)
			if o.text("status") != "conflict" || len(o.list("changes")) != 1 || o.text("changes", 0, "type") != "FULL_UPDATE" ||
				o.version("changes", 0) != 10 || o.text("changes", 0, "hash") != all.text("hash") {
				t.Errorf("%s: %.300v", query, o)
				continue
			}
			whole := newReplica()
			if err := whole.load(object(o.at("changes", 0, "data").(map[string]any))); err != nil {
				t.Errorf("%s: %v", query, err)
			}
		}
		if o := s.get(t, g+"/changes?since=3&hash="+all.text("changes", 2, "hash")).object(t); o.text("status") != "behind" || len(o.list("changes")) != 7 {
			t.Errorf("with the hash of its version: %.300v", o)
		}
		if o := s.get(t, g+"/changes?limit=999999").object(t); len(o.list("changes")) != 10 {
			t.Errorf("too large a limit is cut: %.300v", o)
		}

		begin := time.Now()
		if o := s.get(t, g+"/changes?since=10&wait=150").object(t); o.text("status") != "in_sync" || time.Since(begin) < 140*time.Millisecond {
			t.Errorf("a long poll for nothing: %v after %v", o, time.Since(begin))
		}
		answers := make(chan reply, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		go func() {
			r, err := s.try(ctx, "GET", g+"/changes?since=10&wait=15000", "")
			if err != nil {
				r.body = []byte(err.Error())
			}
			answers <- r
		}()
		await(t, 5*time.Second, "a waiting long poll", func() bool { return s.metric(t, "graphy_http_long_polls") >= 1 })
		s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": -1})
		if r := <-answers; r.status != 200 || r.object(t).version("changes", 0) != 11 {
			t.Errorf("a long poll: %v", r)
		}
	})
}
