// Package embedded is the log of a Graphy that has no Redis: a Redis inside the process behind the same code as
// eventstore/redis, and a journal of its events in a folder.
//
// A journal is a file of records (append, delete, and those of upkeep), written in frames; a frame is what one fsync
// makes durable. A change is decided first, then journaled and fsynced, and only then carried out by the ordinary
// script: no reader sees, and nobody is told of, an event that a crash could take back (invariant I1). Open replays the
// journal into the streams and verifies each chain of hashes, from the base on where a stream was trimmed (I2). Read
// models and all other keys live in memory only and are built anew; so Open marks every stream active. What is dead in
// the journal (deleted, trimmed, replaced, abandoned) stays until an Open at which it is the most of it.
//
// Writes to one stream take turns; writes to all streams share fsyncs. A write that began is finished even if its
// caller no longer waits. A write that fails on the disk is taken back and may be tried again; after a failed fsync,
// or when it cannot be taken back, the Store takes no more writes until it is opened anew (Err).
//
// A Store is safe for concurrent use, and locks its folder against other processes. Nobody outside the process can
// reach the Redis: it listens nowhere. It leaves expiry to a goroutine of the caller's (Run), and backups to those
// who copy the journal.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/gofrs/flock"
	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/redis"
)

// Options configure a Store. The zero value keeps everything in memory.
type Options struct {
	Dir    string      // folder of the journal, created if need be; "" keeps no journal
	Prefix string      // put before every key; default none
	Logger *zap.Logger // default discards

	// Progress is told now and then how much of the journal Open has replayed, in bytes, and at last that all is, if
	// it takes longer than a second. Default none.
	Progress func(done, total int64)
}

// Store is a Log on a Redis inside the process, with a journal.
type Store struct {
	*redis.Store // what is not overridden: Tail, Streams, Appends, Active, Settle, Keys

	server  *miniredis.Miniredis
	db      *miniredis.RedisDB
	clients []rueidis.Client
	logger  *zap.Logger
	journal *journal     // nil without a folder
	lock    *flock.Flock // nil without a folder

	mu      sync.Mutex
	streams map[string]*stream // those with events, and those being written to
	failed  error              // an event is journaled and could not be made visible
	closed  bool
	writers sync.WaitGroup
}

var (
	_ eventstore.Log        = (*Store)(nil)
	_ eventstore.Maintainer = (*Store)(nil)
)

// Open locks the folder, replays its journal and returns a Store to be ended with Close. Errors are ErrLocked,
// *CorruptError, and those of the file system. Cancelling ctx ends a replay under way.
func Open(ctx context.Context, opts Options) (_ *Store, err error) {
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	s := &Store{server: miniredis.NewMiniRedis(), logger: opts.Logger, streams: map[string]*stream{}}
	s.db = s.server.DB(0)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if opts.Dir != "" {
		if err := s.openDir(ctx, opts); err != nil {
			return nil, err
		}
	}
	for range 2 { // subscriptions want a client of their own
		client, err := connect(ctx, s.server)
		if err != nil {
			return nil, fmt.Errorf("connect to the Redis inside: %w", err)
		}
		s.clients = append(s.clients, client)
	}
	s.Store = redis.New(s.clients[0], s.clients[1], redis.Options{Prefix: opts.Prefix, Logger: opts.Logger})
	return s, nil
}

// openDir takes the lock and replays the journal.
func (s *Store) openDir(ctx context.Context, opts Options) error {
	if err := ensureDir(opts.Dir); err != nil {
		return fmt.Errorf("create data folder: %w", err)
	}
	lock := flock.New(filepath.Join(opts.Dir, "lock"))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("lock data folder %s: %w", opts.Dir, err)
	case !locked:
		return fmt.Errorf("data folder %s is %w", opts.Dir, ErrLocked)
	}
	s.lock = lock
	replay := &replayer{
		db: s.db, keys: redis.Keys{Prefix: opts.Prefix}, streams: s.streams,
		logger: s.logger, progress: progress{report: opts.Progress},
	}
	var err error
	s.journal, err = replay.open(ctx, filepath.Join(opts.Dir, journalName))
	return err
}

// Client is a client of the Redis inside, for read models and all else that may be lost. It is closed with the Store.
func (s *Store) Client() rueidis.Client { return s.clients[0] }

// Err returns why the Store takes no more writes, or nil. It takes none again before it is opened anew.
func (s *Store) Err() error {
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	if failed == nil && s.journal != nil {
		failed = s.journal.err()
	}
	return failed
}

// Close waits for the writes under way and releases everything. Tails and Appends must have ended.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.writers.Wait()

	for _, client := range s.clients {
		client.Close()
	}
	s.server.Close()
	var err error
	if s.journal != nil {
		err = s.journal.close()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}
