package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/eventstore/embedded"
	"graphy/eventstore/redis"
)

// backend is the log and the Redis beside it that a server works on.
type backend struct {
	log    eventstore.Log  // reads through the archive, if there is one
	live   eventstore.Log  // reads what is not in the archive alone
	store  *redis.Store    // what log is built on
	inside *embedded.Store // the Redis inside this process; nil for another one
	client rueidis.Client
	keys   redis.Keys
	words  string // what it is, for the start-up text

	maintainer eventstore.Maintainer // of log
	archive    *archive.Archive      // nil: none

	run   func(ctx context.Context) error                 // periodic work, nil for none
	check func(ctx context.Context) (redis.Report, error) // fitness; an error is "out of reach"
	close func() error
}

// openBackend opens the Redis at the configured URL, or the one inside the process, and the archive.
func openBackend(ctx context.Context, c *config, logger *zap.Logger, out io.Writer) (*backend, error) {
	kept, err := c.Keeping.openArchive(ctx)
	if err != nil {
		return nil, err
	}
	open := openRedis
	if c.RedisURL == "" {
		open = openEmbedded
	}
	back, err := open(ctx, c, logger, out)
	if err == nil {
		back.live = back.log
	}
	if err == nil && kept != nil {
		back.archive, back.log = kept, archive.Through(back.log, back.maintainer, kept)
	}
	return back, err
}

func openRedis(ctx context.Context, c *config, logger *zap.Logger, _ io.Writer) (*backend, error) {
	client, subscriber, err := redis.Dial(ctx, c.RedisURL, logger)
	if err != nil {
		return nil, err
	}
	store := redis.New(client, subscriber, redis.Options{Prefix: c.KeyPrefix, Logger: logger})
	fitness := &cachedCheck{check: func(ctx context.Context) (redis.Report, error) { return redis.Check(ctx, client) }}
	return &backend{
		log: store, store: store, client: client, keys: store.Keys(), maintainer: store,
		words: "Redis at " + redacted(c.RedisURL),
		check: func(ctx context.Context) (redis.Report, error) {
			if err := redis.Ping(ctx, client); err != nil {
				return redis.Report{}, err
			}
			return fitness.get(ctx)
		},
		close: func() error {
			subscriber.Close()
			client.Close()
			return nil
		},
	}, nil
}

// redacted returns a Redis URL without user, password and parameters.
func redacted(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

func openEmbedded(ctx context.Context, c *config, logger *zap.Logger, out io.Writer) (*backend, error) {
	words := "a Redis inside this process, its journal in " + c.DataDir
	durability := "a crash takes nothing that was answered: each event is fsynced before"
	if c.DataDir == "" {
		words = "a Redis inside this process, in memory only"
		durability = "a crash, or the end of the process, takes everything"
	}
	store, err := embedded.Open(ctx, embedded.Options{Dir: c.DataDir, Prefix: c.KeyPrefix, Logger: logger,
		Progress: func(done, total int64) {
			fmt.Fprintf(out, "replaying the journal: %d of %d MB\n", done>>20, total>>20)
		}})
	if errors.Is(err, embedded.ErrLocked) {
		return nil, fmt.Errorf("%w: another graphy works on it; stop that one, or choose another GRAPHY_DATA_DIR", err)
	}
	if err != nil {
		return nil, err
	}
	return &backend{
		log: store, store: store.Store, inside: store, client: store.Client(), keys: store.Keys(), maintainer: store,
		words: words, run: store.Run, close: store.Close,
		check: func(context.Context) (redis.Report, error) {
			report := redis.Report{Persistence: words, Durability: durability}
			if err := store.Err(); err != nil {
				report.Problems = []redis.Finding{{Severity: redis.Fatal, Topic: redis.TopicPersistence, Text: err.Error(),
					Remedy: "free the disk or repair it, then start again"}}
			}
			return report, nil
		},
	}, nil
}

// cachedCheck asks a Redis for its settings every few seconds at most.
type cachedCheck struct {
	check func(ctx context.Context) (redis.Report, error)

	mu     sync.Mutex
	report redis.Report
	at     time.Time
}

func (c *cachedCheck) get(ctx context.Context) (redis.Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < 5*time.Second {
		return c.report, nil
	}
	report, err := c.check(ctx)
	if err == nil {
		c.report, c.at = report, time.Now()
	}
	return report, err
}
