package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// finish undoes and redoes all, and holds everything that was said against the model.
func (g *game) finish(t *testing.T, seed uint64, players []*player) {
	t.Helper()
	begin := time.Now()
	for _, p := range players[:3] { // each user once
		if err := p.undoAndRedoAll(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	log := g.servers[0].changesOf(t, g.graph)
	for _, p := range players {
		if err := p.catchUp(len(log)); err != nil {
			t.Errorf("seed %d: %s: %v", seed, p.client, err)
		}
	}
	j, err := g.judge(log)
	if err != nil {
		g.dump(t, seed, log)
		t.Fatalf("seed %d: %v", seed, err)
	}
	errs := j.answers()
	errs = append(errs, j.past(t)...)
	for _, p := range players {
		if p.overSocket {
			if difference := j.model.worlds[len(log)].differsFrom(p.follower.replica); difference != "" || p.follower.hash != j.fold.hash {
				errs = append(errs, fmt.Errorf("I4: %s: %s", p.client, difference))
			}
		}
	}
	if len(errs) > 0 {
		g.dump(t, seed, log)
	}
	for i, err := range errs {
		if i == 5 {
			t.Errorf("… and %d more", len(errs)-i)
			break
		}
		t.Errorf("seed %d: %v", seed, err)
	}
	for _, offence := range g.offences[:min(5, len(g.offences))] {
		t.Errorf("seed %d: %s", seed, offence)
	}
	t.Logf("seed %d: %d events, %d answers; %v; judged in %v", seed, len(log), len(g.book), j.hit, time.Since(begin))
}

// dump keeps the log of a game that went wrong in the folder GRAPHY_MODEL_DUMP.
func (g *game) dump(t testing.TB, seed uint64, log []json.RawMessage) {
	if folder := os.Getenv("GRAPHY_MODEL_DUMP"); folder != "" {
		path := filepath.Join(folder, fmt.Sprintf("%d-%s.jsonl", seed, g.graph))
		if err := os.WriteFile(path, slices.Concat(bytes.Join(rawLines(log), []byte{'\n'}), []byte{'\n'}), 0o644); err != nil {
			t.Error(err)
		}
		t.Logf("the log is in %s", path)
	}
}

func rawLines(log []json.RawMessage) [][]byte {
	lines := make([][]byte, len(log))
	for i, raw := range log {
		lines[i] = raw
	}
	return lines
}

// undoAndRedoAll undoes all that the user can, redoes it, and is where it was (I9).
func (p *player) undoAndRedoAll() error {
	checksum := func() string {
		r, err := p.server.try(context.Background(), "GET", fmt.Sprintf("/graphs/%s/state?minVersion=%d", p.graph, p.currentVersion()), "")
		if err != nil {
			return err.Error()
		}
		return decode(r.body).text("checksum")
	}
	before := checksum()
	undone := 0
	for _, kind := range []string{"UNDO", "REDO"} {
		for n := 0; n < 200 && (kind == "UNDO" || n < undone); n++ {
			r := p.identify(request{kind: kind, base: -1})
			p.remember(r)
			accepted := len(p.before)
			if err := p.post(r, p.servers[n%len(p.servers)], false); err != nil {
				return err
			}
			if len(p.before) == accepted {
				break
			}
			if kind == "UNDO" {
				undone++
			}
		}
	}
	if after := checksum(); after != before {
		return fmt.Errorf("I9: %d undos and redos of %s lead from %s to %s", undone, p.user, before, after)
	}
	return nil
}

// catchUp reads until the player has what it was sent up to a version, and all that follows its results.
func (p *player) catchUp(version int) error {
	if !p.overSocket {
		return nil
	}
	if err := p.connect(); err != nil {
		return err
	}
	p.beats++
	if err := p.socket.conn.WriteMessage(1, []byte(fmt.Sprintf(`{"type":"heartbeat","clientVersion":%d}`, p.follower.version))); err != nil {
		return err
	}
	for p.beats > 0 || p.follower.version < uint64(version) {
		if err := p.read(20 * time.Second); err != nil {
			return err
		}
	}
	return nil
}
