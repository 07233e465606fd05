package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/eventstore/redis"
	"graphy/projection"
	"graphy/projection/projectiontest"
	models "graphy/projection/redis"
	"graphy/projection/upkeep"
)

// importPrefix is where the graphs of fillUpkeep are imported to, and trimmed.
const importPrefix = "import:"

// keepSite is a Keeper in this process, and what it works on.
type keepSite struct {
	client rueidis.Client
	log    *redis.Store
	keeper *upkeep.Keeper
}

// openKeep opens a Keeper under a prefix, with an archive in a folder of that name.
func (l *lab) openKeep(ctx context.Context, prefix string) (*keepSite, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{l.redisAddr}, DisableCache: true})
	if err != nil {
		return nil, err
	}
	store, err := archive.OpenStore(ctx, filepath.Join(l.dir, "archive-"+filepath.Base(prefix)))
	if err != nil {
		client.Close()
		return nil, err
	}
	log := redis.New(client, client, redis.Options{Prefix: prefix})
	kept, past := models.New(client, log.Keys(), models.Options{}), archive.New(store)
	stores := upkeep.Stores{Log: archive.Through(log, log, past), Maintainer: log, Models: kept, Workshop: kept,
		Snapshots: projection.WithBase(upkeep.WithArchive(kept, log, past), log), Letters: kept, Archive: past}
	return &keepSite{client, log, upkeep.New(stores, upkeep.Options{})}, nil
}

func (s *keepSite) close() { s.client.Close() }

// graphs yields the graphs there are, in order.
func (s *keepSite) graphs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for cursor := ""; ; {
			page, err := s.log.Streams(ctx, cursor, 1000)
			if err != nil {
				yield("", err)
				return
			}
			for _, graph := range page {
				if !yield(graph, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			cursor = page[len(page)-1]
		}
	}
}

// transferred is how fast an archive was written or read.
type transferred struct {
	events     int64
	bytes      int64 // of the events
	took       time.Duration
	own, redis time.Duration // CPU time of this process, and of Redis
}

// transfer does act and measures it.
func (l *lab) transfer(ctx context.Context, act func() (events int64, err error)) (*transferred, error) {
	l.settle(ctx, l.subjects())
	begun, own, redis := time.Now(), ownTime(), cpuTime(l.redis)
	events, err := act()
	t := &transferred{events: events, took: time.Since(begun), own: ownTime() - own, redis: cpuTime(l.redis) - redis}
	for _, event := range upkeepHistory() {
		t.bytes += int64(len(event.Data)) * int64(l.upkeepGraphs())
	}
	return t, err
}

func (t *transferred) line(what string, graphs int) line {
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(t.events) }
	return line{what: fmt.Sprintf("%s: %s events in %s graphs", what, thousands(t.events), thousands(int64(graphs))),
		figure: fmt.Sprintf("%s events/s, %.0f MB/s of events; its CPU %.1f µs, Redis's %.1f µs an event", thousands(int64(float64(t.events)/t.took.Seconds())),
			float64(t.bytes)/1e6/t.took.Seconds(), each(t.own), each(t.redis)), cpu: each(t.own + t.redis)}
}

// upkeepHistory is what fillUpkeep writes into each graph.
func upkeepHistory() []eventstore.Event {
	return projectiontest.NewWriter("upkeep", rand.New(rand.NewPCG(1, 2))).Events(upkeepEvents)
}

// exportFile exports all graphs of fillUpkeep into a file, once.
func (l *lab) exportFile(ctx context.Context) (string, *transferred, error) {
	if err := l.fillUpkeep(ctx); err != nil {
		return "", nil, err
	}
	site, err := l.openKeep(ctx, upkeepPrefix)
	if err != nil {
		return "", nil, err
	}
	defer site.close()
	name := filepath.Join(l.dir, "export.zst")
	file, err := os.Create(name)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	result, err := l.transfer(ctx, func() (events int64, err error) {
		manifest, err := site.keeper.Export(ctx, file, site.graphs(ctx), nil)
		for _, graph := range manifest.Graphs {
			events += graph.Events
		}
		return events, err
	})
	return name, result, err
}

// exportRow: all graphs are written into a file.
func exportRow(ctx context.Context, l *lab) ([]line, error) {
	_, result, err := l.exportFile(ctx)
	if err != nil {
		return nil, err
	}
	return []line{result.line("`log export --all`", l.upkeepGraphs())}, nil
}

// importRow: all graphs of the file are put into a Redis without any.
func importRow(ctx context.Context, l *lab) ([]line, error) {
	name, _, err := l.exportFile(ctx)
	if err != nil {
		return nil, err
	}
	site, err := l.openKeep(ctx, importPrefix)
	if err != nil {
		return nil, err
	}
	defer site.close()
	result, err := l.transfer(ctx, func() (int64, error) { return site.imports(ctx, name) })
	if err != nil {
		return nil, err
	}
	return []line{result.line("`log import` into an empty Redis", l.upkeepGraphs())}, nil
}

func (s *keepSite) imports(ctx context.Context, name string) (events int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var refused error
	err = s.keeper.Import(ctx, bufio.NewReaderSize(file, 1<<20), upkeep.ImportOptions{Replace: true}, func(graph upkeep.Imported) {
		events += graph.Events
		if graph.Outcome == "refused" {
			refused = errors.New(graph.Cause)
		}
	})
	return events, errors.Join(err, refused)
}
