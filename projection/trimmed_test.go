package projection_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// trimmedAt is a log of so many events that begins with a base of version floor, and what the events folded to.
func trimmedAt(t testing.TB, events int, floor eventstore.Version) (*memorylog.Log, *projectiontest.Writer, []string) {
	t.Helper()
	log := memorylog.New()
	w := projectiontest.NewWriter("g", source(1))
	states := []string{whole(w.Graph)}
	var base eventstore.Base
	for version := 1; version <= events; version++ {
		projectiontest.Append(t, log, "g", w.Random())
		states = append(states, whole(w.Graph))
		if eventstore.Version(version) == floor {
			base = snapshot(t, w.Graph).Base()
		}
	}
	trimTo(t, log, base)
	return log, w, states
}

func trimTo(t testing.TB, log *memorylog.Log, base eventstore.Base) {
	t.Helper()
	ctx := context.Background()
	events, err := log.Read(ctx, "g", 0, int(base.Version))
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok { // before
		events, err = log.Read(ctx, "g", trimmed.First-1, int(base.Version-trimmed.First+1))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := log.SetBase(ctx, "g", base); err != nil {
		t.Fatal(err)
	}
	if err := log.Trim(ctx, "g", events); err != nil {
		t.Fatal(err)
	}
}

// alone makes base all that the log of g holds.
func alone(t testing.TB, log *memorylog.Log, base eventstore.Base) {
	t.Helper()
	ctx := context.Background()
	if err := log.Delete(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	r, err := log.Rewrite(ctx, "g", base)
	if err != nil {
		t.Fatal(err)
	}
	if committed, err := r.Commit(ctx, eventstore.Position{}); err != nil || !committed {
		t.Fatalf("commit: %t, %v", committed, err)
	}
}

// TestStateAtFromBase: from the base on, every version can be had, with snapshots and without; before it none.
func TestStateAtFromBase(t *testing.T) {
	log, _, states := trimmedAt(t, 250, 120)
	models := memory.New(log)
	based := projection.WithBase(models, log)
	check := func() {
		t.Helper()
		for version := range eventstore.Version(251) {
			g, err := projection.At(t.Context(), log, based, "g", version)
			switch {
			case version > 0 && version < 120:
				if !errors.Is(err, projection.ErrTrimmed) || !errors.Is(err, eventstore.ErrTrimmed) {
					t.Errorf("version %d: got %v, want ErrTrimmed", version, err)
				}
			case err != nil || whole(g) != states[version]:
				t.Errorf("version %d: got %v", version, err)
			}
		}
	}
	check()
	g, err := projection.At(t.Context(), log, based, "g", 200)
	if err != nil {
		t.Fatal(err)
	}
	if err := models.Save(t.Context(), "g", snapshot(t, g)); err != nil {
		t.Fatal(err)
	}
	check()
	for at, want := range map[eventstore.Version]eventstore.Version{119: 0, 120: 120, 199: 120, 200: 200, 250: 200} {
		if got, err := based.NearestPosition(t.Context(), "g", at); err != nil || got.Version != want {
			t.Errorf("nearest of %d: got %v, %v, want %d", at, got, err, want)
		}
		if s, found, err := based.Nearest(t.Context(), "g", at); err != nil || s.Version != want || found != (want > 0) {
			t.Errorf("nearest of %d: got %d, %v, want %d", at, s.Version, err, want)
		}
	}
	if projection.WithBase(models, nil) != projection.Snapshots(models) {
		t.Error("without a maintainer: got others than the snapshots")
	}
}

// TestStateAtDamagedBase: what is not the base of this log is not taken for it.
func TestStateAtDamagedBase(t *testing.T) {
	log, w, _ := trimmedAt(t, 50, 20)
	good, err := log.Base(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	other := projectiontest.NewWriter("g", source(2))
	other.Events(20)
	for name, base := range map[string]eventstore.Base{
		"cut off":          {Position: good.Position, Data: good.Data[:len(good.Data)/2]},
		"none":             {Position: good.Position},
		"another history":  {Position: good.Position, Data: snapshot(t, other.Graph).Data},
		"of another graph": {Position: good.Position, Data: snapshot(t, projectiontest.NewWriter("h", source(1)).Graph).Data},
	} {
		based := projection.WithBase(memory.New(log), baseOnly{log, base})
		if g, err := projection.At(t.Context(), log, based, "g", 30); err == nil {
			t.Errorf("%s: got %s, want an error", name, whole(g))
		}
		if g, err := projection.DecodeBase("g", base); err == nil {
			t.Errorf("%s: decoded %s, want an error", name, whole(g))
		}
	}
	if g, err := projection.DecodeBase("g", good); err != nil || g.Position != good.Position || w.Graph.Position.Version != 50 {
		t.Errorf("good: %v", err)
	}
}

// baseOnly is a maintainer with another base.
type baseOnly struct {
	eventstore.Maintainer
	base eventstore.Base
}

func (m baseOnly) Base(context.Context, string) (eventstore.Base, error) { return m.base, nil }

// TestI3RebuiltFromBase: read models that are gone, damaged, or far behind, of a trimmed log come out as if it never had
// been trimmed, counts and all.
func TestI3RebuiltFromBase(t *testing.T) {
	tests := []struct {
		name      string
		projected int // events, before the log was trimmed
		alone     bool
	}{
		{"gone", 0, false}, {"gone, base alone", 0, true}, {"far behind", 30, false}, {"at the floor", 120, false}, {"behind", 200, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := memorylog.New()
				models := memory.New(log)
				opts := projection.ProjectorOptions{Snapshots: projection.WithBase(models, log)}
				w := projectiontest.NewWriter("g", source(1))
				var base eventstore.Base
				for version := 1; version <= 250; version++ {
					projectiontest.Append(t, log, "g", w.Random())
					if version == test.projected {
						_, stop := project(t, log, models, opts)
						settle()
						stop()
						projectiontest.Same(t, models, w.Graph)
					}
					if version == 120 {
						base = snapshot(t, w.Graph).Base()
					}
				}
				if trimTo(t, log, base); test.alone {
					alone(t, log, snapshot(t, w.Graph).Base())
				}
				projector, stop := project(t, log, models, opts)
				defer stop()
				settle()
				projectiontest.Same(t, models, w.Graph)
				stats, err := models.Stats(t.Context(), "g")
				if err != nil || stats.Events != 250 || !maps.Equal(stats.ByType, w.Graph.ByType) {
					t.Errorf("stats: got %d events, %v, %v, want 250, %v", stats.Events, stats.ByType, err, w.Graph.ByType)
				}
				if parked := projector.Parked(); len(parked) > 0 {
					t.Errorf("parked: %+v", parked)
				}
				projectiontest.Append(t, log, "g", w.Events(20)...)
				settle()
				projectiontest.Same(t, models, w.Graph)
			})
		})
	}
}

// TestI11TrimmedWithoutBaseParks: where nobody says what the log begins with, the graph is parked alone.
func TestI11TrimmedWithoutBaseParks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _, _ := trimmedAt(t, 50, 20)
		models := memory.New(log)
		projector, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		well := projectiontest.NewWriter("well", source(2))
		projectiontest.Append(t, log, "well", well.Events(3)...)
		settle()
		projectiontest.Same(t, models, well.Graph)
		if parked := projector.Parked(); len(parked) != 1 || parked[0].Graph != "g" {
			t.Errorf("parked: got %+v, want g", parked)
		}
	})
}

// TestProjectorWhileTrimmed: the log is trimmed up to its head again and again while it grows, and projected all the
// while.
func TestProjectorWhileTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		projector, stop := project(t, log, models, projection.ProjectorOptions{Snapshots: projection.WithBase(models, log)})
		defer stop()
		w := projectiontest.NewWriter("g", source(3))
		projectiontest.Append(t, log, "g", w.Events(10)...)
		for range 40 {
			base := snapshot(t, w.Graph).Base()
			projectiontest.Append(t, log, "g", w.Events(5)...)
			trimTo(t, log, base)
			time.Sleep(time.Millisecond)
		}
		settle()
		projectiontest.Same(t, models, w.Graph)
		if parked := projector.Parked(); len(parked) > 0 {
			t.Errorf("parked: %+v", parked)
		}
	})
}

// TestSnapshotterFromBase: a trimmed log without a snapshot gets those that are due from its base on.
func TestSnapshotterFromBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _, _ := trimmedAt(t, 250, 120)
		models := memory.New(log)
		snapshotter := projection.NewSnapshotter(log, projection.WithBase(models, log), projection.SnapshotterOptions{Events: 50})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- snapshotter.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		var got []eventstore.Version
		for at := eventstore.Version(250); at > 0; {
			position, err := models.NearestPosition(t.Context(), "g", at)
			if err != nil {
				t.Fatal(err)
			}
			if position.Version == 0 {
				break
			}
			got, at = append(got, position.Version), position.Version-1
		}
		if len(got) != 3 || got[0] != 250 || got[1] != 200 || got[2] != 150 {
			t.Errorf("snapshots: got %v, want 250, 200, 150", got)
		}
	})
}
