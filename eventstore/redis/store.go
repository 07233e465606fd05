// Package redis keeps the log on Redis Streams, and builds the keys of everything else that Graphy keeps in Redis.
//
// A stream's entry "42-0" is version 42 and has the fields event and hash. Beside it stands the hash of operation
// id → version. Both are written by one script, so they never disagree and versions have no hole.
//
// Appends of one stream are ordered by Redis; the script refuses what does not follow the head. Every call is
// retried until its context is done, as its outcome class allows (outcome.go): an append whose outcome is unknown is
// sent again unchanged, which is safe because a second copy meets a head that has moved. Pub/sub is a doorbell: a
// Tail that misses a message reads the stream.
//
// A trimmed stream has lost its oldest entries, and a hash with the base stands for them. New content for a stream is
// written to keys beside, and takes its place in one script. Both leave what the ordinary calls cost as it was: only a
// read that finds no event where one should be looks at the base.
//
// A Store is safe for concurrent use and starts goroutines only while Tail or Appends run. It leaves connecting to
// Dial, the fitness of the server to Check, and the hash chain to those who load a stream, but for Tail, which
// verifies what it yields.
package redis

import (
	"cmp"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore"
)

// Options configure a Store. The zero value is ready to use.
type Options struct {
	Prefix string        // put before every key; default none
	Logger *zap.Logger   // default discards
	Keep   time.Duration // how long a rewriting lives to which nothing is added; default 6h
	Probe  time.Duration // how soon a Tail to which nothing comes looks at the stream, doubled up to 5 times that; default 2s
}

// Store is a Log on Redis Streams, and the Maintainer of them.
type Store struct {
	client rueidis.Client
	keys   Keys
	opts   Options
	sender string // names this Store in what it publishes
	marks  marks
	feeds  feeds
	notify notices
}

var (
	_ eventstore.Log        = (*Store)(nil)
	_ eventstore.Maintainer = (*Store)(nil)
)

// New returns a Store on client. Subscriptions go through subscriber, a client of its own. Both stay the caller's
// to close, after the last Tail and Appends have ended.
func New(client, subscriber rueidis.Client, opts Options) *Store {
	opts.Logger = cmp.Or(opts.Logger, zap.NewNop())
	opts.Keep = cmp.Or(opts.Keep, 6*time.Hour)
	opts.Probe = cmp.Or(opts.Probe, 2*time.Second)
	s := &Store{client: client, keys: Keys{opts.Prefix}, opts: opts, sender: newSender()}
	s.feeds = feeds{client: subscriber, sharded: subscriber.Mode() == rueidis.ClientModeCluster, logger: opts.Logger}
	s.notify = notices{feeds: &s.feeds, channel: s.keys.AppendsChannel(), sender: s.sender}
	return s
}

// Keys returns the builder of the keys that the Store uses.
func (s *Store) Keys() Keys { return s.keys }
