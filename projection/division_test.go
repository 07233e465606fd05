package projection_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// When a member comes or goes, only graphs that it wins or had change hands; each owns its fair share.
func TestOwner(t *testing.T) {
	if got := projection.Owner("g", nil); got != "" {
		t.Errorf("of nobody: got %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9A-Z]{26}`), 2, 8, rapid.ID).Draw(t, "members")
		gone := members[len(members)-1]
		const graphs = 2000
		shares := map[string]int{}
		for i := range graphs {
			graph := fmt.Sprint("graph-", i)
			owner := projection.Owner(graph, members)
			shares[owner]++
			reversed := slices.Clone(members)
			slices.Reverse(reversed)
			if again := projection.Owner(graph, reversed); again != owner {
				t.Fatalf("%s: %s and, in another order, %s", graph, owner, again)
			}
			if left := projection.Owner(graph, members[:len(members)-1]); left != owner && owner != gone {
				t.Fatalf("%s: had %s, has %s since %s is gone", graph, owner, left, gone)
			}
		}
		fair := graphs / len(members)
		for _, member := range members {
			if shares[member] < fair*2/3 || shares[member] > fair*4/3 {
				t.Errorf("%s owns %d of %d graphs, its fair share is %d", member, shares[member], graphs, fair)
			}
		}
	})
}

// owns is a Division.
type owns func(graph string) bool

func (o owns) Owns(graph string) bool { return o(graph) }

// foreignLog is the log as a process sees it that appends nothing.
type foreignLog struct{ eventstore.Log }

func (l foreignLog) Appends(ctx context.Context) iter.Seq[eventstore.Notice] {
	return func(yield func(eventstore.Notice) bool) {
		for notice := range l.Log.Appends(ctx) {
			notice.Events = nil
			if !yield(notice) {
				return
			}
		}
	}
}

// counted counts the commits that one projector tries on each of a few graphs, and lets them take a while.
type counted struct {
	projection.ReadModels
	takes   time.Duration
	commits [8]atomic.Int64
}

func (c *counted) Commit(ctx context.Context, graph string, from eventstore.Position, update *projection.Update) error {
	c.commits[graph[0]-'a'].Add(1)
	time.Sleep(c.takes)
	return c.ReadModels.Commit(ctx, graph, from, update)
}

// Three processes, none of which appends: each works on its own graphs and on no other, and what one leaves, because it
// is gone and the others have not noticed, they take up after a while.
func TestProjectorsDivideGraphs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		members := []string{"one", "two", "three"}
		processes, stops := make([]*counted, 3), make([]func(), 3)
		projectors := make([]*projection.Projector, 3)
		for i, self := range members {
			processes[i] = &counted{ReadModels: models}
			division := owns(func(graph string) bool { return projection.Owner(graph, members) == self })
			projectors[i], stops[i] = project(t, foreignLog{log}, processes[i], projection.ProjectorOptions{Division: division})
		}
		time.Sleep(10 * time.Second) // beyond the first look at everything
		var writers []*projectiontest.Writer
		for i := range 8 {
			writers = append(writers, projectiontest.NewWriter(string(rune('a'+i)), source(uint64(i))))
		}
		write := func(rounds int) {
			for range rounds {
				for _, w := range writers {
					projectiontest.Append(t, log, w.Graph.ID, w.Events(2)...)
				}
				time.Sleep(30 * time.Millisecond)
			}
		}
		write(100)
		for i, w := range writers {
			projectiontest.Same(t, models, w.Graph)
			for j, process := range processes {
				got := process.commits[i].Load()
				if mine := projection.Owner(w.Graph.ID, members) == members[j]; mine && got < 90 || !mine && got > 0 {
					t.Errorf("%s: %s has committed it %d times, owner: %v", w.Graph.ID, members[j], got, mine)
				}
			}
		}
		stops[0]()
		gone := slices.IndexFunc(writers, func(w *projectiontest.Writer) bool { return projection.Owner(w.Graph.ID, members) == "one" })
		write(1)
		begin := time.Now()
		if err := projectors[1].Await(t.Context(), writers[gone].Graph.ID, writers[gone].Graph.Position.Version); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 1100*time.Millisecond {
			t.Errorf("who waits for a graph whose owner is gone waited %v", took)
		}
		write(1)
		time.Sleep(7 * time.Second)
		for _, w := range writers {
			projectiontest.Same(t, models, w.Graph)
		}
		stops[1]()
		stops[2]()
	})
}

// What a process appends itself it folds itself, whoever owns the graph, and the owner leaves it alone.
func TestOwnAppendsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		own, owner := &counted{ReadModels: models, takes: 5 * time.Millisecond}, &counted{ReadModels: models}
		_, stopOwn := project(t, log, own, projection.ProjectorOptions{Division: owns(func(string) bool { return false })})
		// The store tells nobody else of appends that somebody listens to where they are made.
		deaf := &lossyLog{Log: log, deaf: true, random: source(1)}
		_, stopOwner := project(t, deaf, owner, projection.ProjectorOptions{Division: owns(func(string) bool { return true })})
		time.Sleep(10 * time.Second)
		w := projectiontest.NewWriter("a", source(1))
		for range 500 {
			projectiontest.Append(t, log, "a", w.Events(1)...)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		projectiontest.Same(t, models, w.Graph)
		if mine, theirs := own.commits[0].Load(), owner.commits[0].Load(); mine < 300 || theirs > 0 {
			t.Errorf("the process that appends has committed %d times, the owner of the graph %d", mine, theirs)
		}
		stopOwn()
		projectiontest.Append(t, log, "a", w.Events(3)...) // it dies before it could fold these
		time.Sleep(3 * time.Second)
		projectiontest.Same(t, models, w.Graph)
		stopOwner()
	})
}

// TestI3WhateverTheDivision: nobody owns a graph, or everybody, or at any moment somebody else.
func TestI3WhateverTheDivision(t *testing.T) {
	random := source(7)
	for name, division := range map[string]func(self int) owns{
		"nobody":    func(int) owns { return func(string) bool { return false } },
		"everybody": func(int) owns { return func(string) bool { return true } },
		"fickle": func(self int) owns {
			var asked atomic.Int64
			return func(graph string) bool { return (asked.Add(1)/7+int64(graph[0]))%3 == int64(self) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events := memorylog.New()
				log := &lossyLog{Log: events, random: source(8)}
				models := memory.New(events)
				for self := range 3 {
					_, stop := project(t, log, models, projection.ProjectorOptions{Shards: 2, Events: 7, Division: division(self)})
					defer stop()
				}
				var writers []*projectiontest.Writer
				for i := range 6 {
					writers = append(writers, projectiontest.NewWriter(string(rune('a'+i)), source(uint64(i))))
				}
				for range 200 {
					w := writers[random.IntN(len(writers))]
					projectiontest.Append(t, events, w.Graph.ID, w.Events(1+random.IntN(5))...)
					time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
				}
				settle()
				for _, w := range writers {
					projectiontest.Same(t, models, w.Graph)
				}
			})
		})
	}
}
