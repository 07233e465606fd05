package projection_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// TestI7PoisonParksOneGraph is I7 and I11: after a few attempts the graph is parked with one dead letter, what comes
// before the poison is projected, and all other graphs go on.
func TestI11PoisonParksOneGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		projector, stop := project(t, log, models, projection.ProjectorOptions{Shards: 1})
		sick, well := projectiontest.NewWriter("sick", source(1)), projectiontest.NewWriter("well", source(2))
		projectiontest.Append(t, log, "sick", sick.Events(20)...)
		poison := sick.Poison()
		projectiontest.Append(t, log, "sick", poison)
		for range 50 {
			projectiontest.Append(t, log, "well", well.Events(3)...)
			time.Sleep(time.Millisecond)
			projectiontest.Await(t, projector, well.Graph)
		}
		settle()
		projectiontest.Same(t, models, well.Graph)
		projectiontest.Same(t, models, sick.Graph)
		checkParked(t, projector, models, poison)
		if err := projector.Await(t.Context(), "sick", poison.Version); !errors.Is(err, projection.ErrStalled) {
			t.Errorf("await of the poison: got %v, want ErrStalled", err)
		}
		stop()

		// After a restart it is tried again, without a second letter.
		projector, stop = project(t, log, models, projection.ProjectorOptions{})
		settle()
		checkParked(t, projector, models, poison)
		stop()
	})
}

// open returns the open dead letters.
func open(t *testing.T, models *memory.Models) []projection.Letter {
	t.Helper()
	letters, err := models.Letters(t.Context(), false, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return letters
}

func checkParked(t *testing.T, projector *projection.Projector, models *memory.Models, poison eventstore.Event) {
	t.Helper()
	parked := projector.Parked()
	if len(parked) != 1 || parked[0].Graph != "sick" || parked[0].Version != poison.Version || parked[0].Cause == "" {
		t.Errorf("parked: got %+v, want sick at %d", parked, poison.Version)
	}
	letters := open(t, models)
	if len(letters) != 1 || letters[0].Version != poison.Version || letters[0].Attempts != 3 || string(letters[0].Payload) != string(poison.Data) {
		t.Errorf("dead letters: got %+v, want one of version %d", letters, poison.Version)
	}
	if checkpoint, err := models.Checkpoint(t.Context(), "sick"); err != nil || !strings.Contains(checkpoint.Stalled, "event") {
		t.Errorf("checkpoint: got %+v, %v, want it stalled", checkpoint, err)
	}
}

// TestParkedGraphGoesOnAfterDelete: what is parked is not parked for ever.
func TestParkedGraphGoesOnAfterDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		projector, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.Events(5)...)
		projectiontest.Append(t, log, "g", w.Poison())
		settle()
		if len(projector.Parked()) != 1 {
			t.Fatal("not parked")
		}
		if err := errors.Join(log.Delete(t.Context(), "g"), models.Delete(t.Context(), "g")); err != nil {
			t.Fatal(err)
		}
		again := projectiontest.NewWriter("g", source(2))
		projectiontest.Append(t, log, "g", again.Events(5)...)
		settle()
		projectiontest.Same(t, models, again.Graph)
		if parked := projector.Parked(); len(parked) != 0 {
			t.Errorf("parked: %+v", parked)
		}
	})
}

// TestLostSuffixIsRebuilt: a failover has taken back events, and other ones have got their versions.
func TestLostSuffixIsRebuilt(t *testing.T) {
	for _, others := range []int{0, 3, 10, 40} {
		synctest.Test(t, func(t *testing.T) {
			log := memorylog.New()
			models := memory.New(log)
			projector, stop := project(t, log, models, projection.ProjectorOptions{})
			defer stop()
			ours, theirs := projectiontest.NewWriter("g", source(1)), projectiontest.NewWriter("g", source(1))
			common := ours.Events(10)
			theirs.Events(10)
			projectiontest.Append(t, log, "g", common...)
			projectiontest.Append(t, log, "g", ours.Events(10)...)
			projectiontest.Await(t, projector, ours.Graph)

			if err := log.Delete(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
			projectiontest.Append(t, log, "g", common...)
			if others > 0 {
				theirs.Clock += 1000
				projectiontest.Append(t, log, "g", theirs.Events(others)...)
			}
			settle()
			projectiontest.Same(t, models, theirs.Graph)
			if parked := projector.Parked(); len(parked) != 0 {
				t.Errorf("%d others: parked %+v", others, parked)
			}
		})
	}
}

// TestLogIsGone: an empty log under a read model is an alarm, never a new beginning.
func TestLogIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		_, stop := project(t, log, models, projection.ProjectorOptions{})
		w := projectiontest.NewWriter("g", source(1))
		events := w.Events(10)
		projectiontest.Append(t, log, "g", events...)
		settle()
		stop()
		if err := log.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
		relisted := &listedLog{Log: log, streams: []string{"g"}}
		projector, stop := project(t, relisted, models, projection.ProjectorOptions{})
		defer stop()
		settle()
		projectiontest.Same(t, models, w.Graph)
		if parked := projector.Parked(); len(parked) != 1 || !strings.Contains(parked[0].Cause, "log is gone") {
			t.Errorf("parked: got %+v, want g, its log is gone", parked)
		}
		if letters := open(t, models); len(letters) != 1 {
			t.Errorf("letters: got %+v, want one", letters)
		}
		projectiontest.Append(t, log, "g", events...) // restored from a backup
		projectiontest.Append(t, log, "g", w.Events(3)...)
		settle()
		projectiontest.Same(t, models, w.Graph)
		if parked := projector.Parked(); len(parked) != 0 {
			t.Errorf("parked after the log came back: got %+v", parked)
		}
	})
}

// TestI7SweeperFindsWhatWasAppended: somebody died between append and fold, and nobody rang.
func TestI7SweeperFindsWhatWasAppended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		deaf := &lossyLog{Log: log, random: source(1), deaf: true}
		_, stop := project(t, deaf, models, projection.ProjectorOptions{})
		defer stop()
		settle()
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.Events(10)...)
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		projectiontest.Same(t, models, w.Graph)
		if active, err := log.Active(t.Context(), 10); err != nil || len(active) != 1 {
			t.Errorf("active at first: got %v, %v, want g", active, err)
		}
		settle()
		if active, err := log.Active(t.Context(), 10); err != nil || len(active) != 0 {
			t.Errorf("active after a quiet minute: got %v, %v, want none", active, err)
		}
	})
}

// TestDamagedReadModelsAreRebuilt: what is in the read models is not what was committed.
func TestDamagedReadModelsAreRebuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		_, stop := project(t, log, models, projection.ProjectorOptions{})
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.Events(200)...)
		settle()
		stop()
		models.Damage("g")
		_, stop = project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		projectiontest.Append(t, log, "g", w.Events(1)...)
		settle()
		projectiontest.Same(t, models, w.Graph)
	})
}

// TestDeletedGraphStartsAnew: the id of a deleted graph is used again while its old state is still in memory.
func TestDeletedGraphStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		projector, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.Events(50)...)
		settle()
		for seed, events := range []int{5, 50, 60} {
			if err := errors.Join(log.Delete(t.Context(), "g"), models.Delete(t.Context(), "g")); err != nil {
				t.Fatal(err)
			}
			again := projectiontest.NewWriter("g", source(uint64(seed+2)))
			projectiontest.Append(t, log, "g", again.Events(events)...)
			start := time.Now()
			projectiontest.Await(t, projector, again.Graph)
			if took := time.Since(start); took > time.Second {
				t.Errorf("%d events after the deletion took %v", events, took)
			}
			projectiontest.Same(t, models, again.Graph)
		}
		if parked := projector.Parked(); len(parked) != 0 {
			t.Errorf("parked: %+v", parked)
		}
	})
}
