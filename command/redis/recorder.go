// Package redis keeps on Redis what became of operations for a while, and the newest commands of each user: the keys
// operation:{operationId} (string, 300 s) and user:{userId}:commands (list, 100).
//
// Entries are written behind the answer, in batches. What has not been written yet is found in memory, so a process
// finds its own operations at once. The Recorder is safe for concurrent use.
package redis

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
	"graphy/eventstore/redis"
)

const (
	keep       = 300 * time.Second     // how long an operation is kept
	keepOfUser = 100                   // commands kept of each user
	maxWaiting = 200_000               // entries waiting to be written, beyond which new ones are dropped
	batch      = 1000                  // entries written at once
	gather     = 10 * time.Millisecond // between two flushes, so that few calls write much
	timeout    = 5 * time.Second       // of one such write
)

// Recorder is a command.Recorder. Run writes what Record takes.
type Recorder struct {
	client rueidis.Client
	keys   redis.Keys
	logger *zap.Logger

	mu      sync.Mutex
	waiting []command.Entry
	writing []command.Entry
	dropped int
	bell    chan struct{}
}

var _ command.Recorder = (*Recorder)(nil)

// New returns a Recorder on client, which stays the caller's to close.
func New(client rueidis.Client, keys redis.Keys, logger *zap.Logger) *Recorder {
	return &Recorder{client: client, keys: keys, logger: logger, bell: make(chan struct{}, 1)}
}

// Record implements command.Recorder.
func (r *Recorder) Record(entries ...command.Entry) {
	r.mu.Lock()
	room := max(0, maxWaiting-len(r.waiting))
	r.dropped += max(0, len(entries)-room)
	r.waiting = append(r.waiting, entries[:min(len(entries), room)]...)
	r.mu.Unlock()
	select {
	case r.bell <- struct{}{}:
	default:
	}
}

// Run writes entries until ctx is done, and then what is left, for a second at most. While Redis is out of reach
// entries wait, up to a bound.
func (r *Recorder) Run(ctx context.Context) error {
	for {
		select {
		case <-r.bell:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			r.flush(last)
			return nil
		}
		r.flush(ctx)
		pause(ctx, gather)
	}
}

// flush writes all that waits; what cannot be written for now waits for the next bell.
func (r *Recorder) flush(ctx context.Context) {
	for {
		r.mu.Lock()
		count := min(len(r.waiting), batch)
		r.writing = append(r.writing[:0:0], r.waiting[:count]...)
		r.waiting = r.waiting[count:]
		dropped := r.dropped
		r.dropped = 0
		r.mu.Unlock()
		if dropped > 0 {
			r.logger.Warn("operations were not recorded: too many at once", zap.Int("count", dropped))
		}
		if count == 0 {
			return
		}
		err := r.write(ctx, r.writing)
		r.mu.Lock()
		if err != nil {
			r.waiting = append(r.writing, r.waiting...)
		}
		r.writing = nil
		r.mu.Unlock()
		if err != nil && ctx.Err() != nil {
			return
		}
		if err != nil {
			r.logger.Warn("operations could not be recorded, trying again", zap.Error(err))
			pause(ctx, 500*time.Millisecond)
		}
	}
}

func pause(ctx context.Context, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// document is what operation:{operationId} holds; an element of user:{userId}:commands, newest first, has the operation's
// id too.
type document struct {
	OperationID string               `json:"operationId,omitzero"`
	GraphID     string               `json:"graphId"`
	Type        string               `json:"type"`
	Version     uint64               `json:"version,omitzero"`
	Code        command.Code         `json:"code,omitzero"`
	Detail      string               `json:"detail,omitzero"`
	Fields      []command.FieldError `json:"fields,omitzero"`
	Timestamp   int64                `json:"timestamp"`
}

// encode returns the document of an entry. Ids and types of accepted commands need no escaping, and there are many of
// them.
func encode(entry *command.Entry, operationID string) (string, error) {
	if entry.Err != nil {
		value, err := json.Marshal(document{OperationID: operationID, GraphID: entry.GraphID, Type: entry.Type, Code: entry.Err.Code,
			Detail: entry.Err.Detail, Fields: entry.Err.Fields, Timestamp: entry.Timestamp})
		return string(value), err
	}
	value := make([]byte, 0, 192)
	if operationID != "" {
		value = append(append(append(value, `{"operationId":"`...), operationID...), `","graphId":"`...)
	} else {
		value = append(value, `{"graphId":"`...)
	}
	value = append(append(append(value, entry.GraphID...), `","type":"`...), entry.Type...)
	value = strconv.AppendUint(append(value, `","version":`...), entry.Version, 10)
	value = strconv.AppendInt(append(value, `,"timestamp":`...), entry.Timestamp, 10)
	return string(append(value, '}')), nil
}

func (r *Recorder) write(ctx context.Context, entries []command.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	commands := make(rueidis.Commands, 0, len(entries)+16)
	users := map[string][]*command.Entry{}
	for i := range entries {
		entry := &entries[i]
		value, err := encode(entry, "")
		if err != nil {
			return fmt.Errorf("encode operation %q: %w", entry.OperationID, err)
		}
		commands = append(commands, r.client.B().Set().Key(r.keys.Operation(entry.OperationID)).Value(value).Ex(keep).Build())
		users[entry.UserID] = append(users[entry.UserID], entry)
	}
	for user, list := range users {
		list = list[max(0, len(list)-keepOfUser):]
		items := make([]string, len(list))
		for i, entry := range list {
			var err error
			if items[i], err = encode(entry, entry.OperationID); err != nil {
				return fmt.Errorf("encode command %q: %w", entry.OperationID, err)
			}
		}
		key := r.keys.UserCommands(user)
		commands = append(commands, r.client.B().Lpush().Key(key).Element(items...).Build(),
			r.client.B().Ltrim().Key(key).Start(0).Stop(keepOfUser-1).Build())
	}
	for _, result := range r.client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

// Find implements command.Recorder.
func (r *Recorder) Find(ctx context.Context, operationID string) (command.Entry, bool, error) {
	if entry, found := r.findWaiting(operationID); found {
		return entry, true, nil
	}
	value, err := r.client.Do(ctx, r.client.B().Get().Key(r.keys.Operation(operationID)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return command.Entry{}, false, nil
	}
	if err != nil {
		return command.Entry{}, false, fmt.Errorf("find operation %q: %w: %w", operationID, eventstore.ErrUnavailable, err)
	}
	var doc document
	if err := json.Unmarshal(value, &doc); err != nil {
		return command.Entry{}, false, fmt.Errorf("decode operation %q: %w", operationID, err)
	}
	entry := command.Entry{OperationID: operationID, GraphID: doc.GraphID, Type: doc.Type, Version: doc.Version, Timestamp: doc.Timestamp}
	if doc.Code != "" {
		entry.Err = &command.Error{Code: doc.Code, Detail: doc.Detail, OperationID: operationID, Fields: doc.Fields}
	}
	return entry, true, nil
}

func (r *Recorder) findWaiting(operationID string) (command.Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range [][]command.Entry{r.waiting, r.writing} {
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].OperationID == operationID {
				return list[i], true
			}
		}
	}
	return command.Entry{}, false
}
