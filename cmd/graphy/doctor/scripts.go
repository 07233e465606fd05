package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"

	"graphy/command"
	commandredis "graphy/command/redis"
	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/projection"
	projectionredis "graphy/projection/redis"
	"graphy/transport"
	"graphy/transport/limit"
	transportredis "graphy/transport/redis"
)

// roundTrip does with a scratch graph what processes do with graphs.
type roundTrip struct {
	*look
	tried
	keys   redis.Keys
	graph  string
	user   string
	client string // of the graph
	store  *redis.Store
	models *projectionredis.Models
	events []eventstore.Event
	folded *projection.Graph
	extra  []string // keys that only come to be known
}

// checkScripts drives every adapter through its port, so that every script runs, and removes what that wrote.
func checkScripts(ctx context.Context, l *look) []finding {
	keys := l.scratchKeys()
	name := ulid.Make().String()
	r := &roundTrip{look: l, keys: keys, graph: "scratch", user: "doctor", client: name,
		store:  redis.New(l.opts.Client, l.opts.Client, redis.Options{Prefix: keys.Prefix}),
		models: projectionredis.New(l.opts.Client, keys, projectionredis.Options{Timeout: l.opts.Timeout})}
	defer func() { _ = l.clear(ctx, r.written()) }()
	if err := r.history(); err != nil {
		return []finding{bad(fmt.Sprintf("No history can be made: %v.", err), "This is a fault of Graphy: report it.")}
	}
	began := time.Now()
	for _, part := range []func(context.Context){r.log, r.readModels, r.workshop, r.letters, r.sharing, r.upkeep, r.remove} {
		r.in(ctx, part)
		if err := l.mortal(ctx, r.written()); err != nil {
			r.step("lifetimes", err)
		}
	}
	if len(r.failures) > 0 {
		rule := r.rule
		if rule == "" {
			rule = "See the log of Redis. A function that is renamed or disabled there (rename-command) has to be given back."
		}
		return []finding{bad(fmt.Sprintf("Of %d steps on a scratch graph %d failed: %s.", r.steps, len(r.failures), r.text()), rule)}
	}
	return []finding{good("%d steps on a scratch graph went well, in %v.", r.steps, time.Since(began).Round(time.Millisecond))}
}

// in gives a part some of the time, so that one that hangs does not hide the others.
func (r *roundTrip) in(ctx context.Context, part func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout/4)
	defer cancel()
	part(ctx)
}

// written are the keys that the round trip may have written.
func (r *roundTrip) written() []string {
	k, g := r.keys, r.graph
	keys := []string{k.Events(g), k.Operations(g), k.Base(g), k.Rewrites(g), k.State(g), k.Nodes(g), k.Edges(g), k.Viewport(g),
		k.Conflicts(g), k.Versions(g), k.Connections(g), k.Stats(g), k.Snapshots(g), k.GraphsOf(g), k.GraphsActive(),
		k.Incident(g, "a"), k.Incident(g, "b"), k.DeadLetters(), k.DeadLettersClosed(), k.Projectors(), k.Lease("doctor"),
		k.Operation(r.client), k.UserSession(r.user), k.UserCommands(r.user), k.Client(r.client), k.Ticket(r.client), k.Rate("doctor", r.user)}
	for _, event := range r.events {
		keys = append(keys, k.Snapshot(g, event.Version))
	}
	return append(keys, r.extra...)
}

// history makes the events of a graph with two nodes and an edge between them.
func (r *roundTrip) history() error {
	r.folded = projection.NewGraph(r.graph)
	for i, change := range []projection.Change{
		{Op: projection.Put, Kind: projection.Node, ID: "a", Value: []byte(`{"id":"a"}`)},
		{Op: projection.Put, Kind: projection.Node, ID: "b", Value: []byte(`{"id":"b"}`)},
		{Op: projection.Put, Kind: projection.Edge, ID: "e", Value: []byte(`{"id":"e","source":"a","target":"b"}`)},
	} {
		if err := r.folded.ApplyChanges([]projection.Change{change}); err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		event := projection.Event{Version: eventstore.Version(i + 1), CommandType: "ADD_NODE", OperationID: ulid.Make().String(), UserID: r.user,
			ClientID: r.client, Timestamp: now, WrittenAt: now, Request: "00000000", Changes: []projection.Change{change}, Checksum: r.folded.Checksum.String()}
		data := event.AppendJSON(nil)
		hash := eventstore.NextHash(r.folded.Position.Hash, data)
		r.folded.Advance(&event, hash)
		r.events = append(r.events, eventstore.Event{Version: event.Version, Data: data, Hash: hash, Operations: event.OperationIDs()})
	}
	return nil
}

// log tries the scripts of the log: append, mark, settle.
func (r *roundTrip) log(ctx context.Context) {
	result, err := r.store.Append(ctx, r.graph, eventstore.Position{}, r.events[:2])
	r.expect("append", err, result.Outcome == eventstore.Applied)
	result, err = r.store.Append(ctx, r.graph, r.events[1].Position(), r.events[2:])
	r.expect("append", err, result.Outcome == eventstore.Applied)
	events, err := r.store.Read(ctx, r.graph, 0, 10)
	r.expect("read", err, len(events) == len(r.events))
	events, err = r.store.ReadBackward(ctx, r.graph, 0, 1)
	r.expect("read backward", err, len(events) == 1)
	versions, err := r.store.Operations(ctx, r.graph, r.events[1].Operations...)
	r.expect("look an operation up", err, slices.Equal(versions, []eventstore.Version{2}))
	names, err := r.store.Streams(ctx, "", 10)
	r.expect("list graphs", err, slices.Equal(names, []string{r.graph}))
	active, err := r.store.Active(ctx, 10)
	r.expect("list active graphs", err, len(active) == 1)
	if len(active) == 1 {
		r.step("settle", r.store.Settle(ctx, r.graph, active[0].Marked))
	}
}

// readModels tries the scripts of what is served: commit, load, incident, snapshot, forget.
func (r *roundTrip) readModels(ctx context.Context) {
	gathering := projection.Gather(projection.NewGraph(r.graph))
	r.step("fold", gathering.Fold(r.events...))
	r.step("commit", r.models.Commit(ctx, r.graph, eventstore.Position{}, gathering.Update()))
	loaded, err := r.models.Load(ctx, r.graph)
	r.expect("load", err, err != nil || loaded.Checksum == r.folded.Checksum)
	node, err := r.models.Entity(ctx, r.graph, projection.Node, "a")
	r.expect("read a node", err, node != nil)
	edges, found, err := r.models.Incident(ctx, r.graph, "a")
	r.expect("read the edges at a node", err, found && len(edges) == 1)
	snapshot, err := r.folded.Snapshot()
	if err == nil {
		err = r.models.Save(ctx, r.graph, snapshot)
	}
	r.step("save a snapshot", err)
	_, found, err = r.models.Nearest(ctx, r.graph, 3)
	r.expect("read a snapshot", err, found)
	r.step("forget a snapshot", r.models.Forget(ctx, r.graph, 4))
}

// workshop tries how read models are built anew: stage, swap.
func (r *roundTrip) workshop(ctx context.Context) {
	_, err := r.models.Inspect(ctx, r.graph, nil)
	r.step("inspect", err)
	staged, err := r.models.Stage(ctx, r.graph, projection.ContentsOf(r.folded), nil)
	r.step("stage", err)
	if err == nil {
		r.step("swap", staged.Swap(ctx, nil))
		r.step("discard", staged.Discard(ctx))
	}
}

// letters tries what is done where projection stops: stall, deadletter, close; and the scripts by which projectors share
// the work: beat, lease, unlease.
func (r *roundTrip) letters(ctx context.Context) {
	letter := projection.DeadLetter{Graph: r.graph, Version: 4, Cause: "a trial", Attempts: 1, Time: time.Now().UnixMilli()}
	r.step("stall", r.models.Stall(ctx, r.graph, r.folded.Position, letter))
	letters, err := r.models.Letters(ctx, false, "", "", 1)
	r.expect("list dead letters", err, len(letters) == 1)
	if len(letters) == 1 {
		closed, err := r.models.CloseLetter(ctx, letters[0].ID, projection.Closing{Outcome: "discarded", Reason: "a trial", By: r.user})
		r.expect("close a dead letter", err, closed)
	}
	r.step("release", r.models.Release(ctx, r.graph))

	lease := projectionredis.NewLease(r.opts.Client, r.keys)
	held, err := lease.Hold(ctx, "doctor", scratchLife)
	r.expect("lease", err, held)
	r.step("give a lease back", lease.Release(ctx, "doctor"))
	r.expect("projectors", nil, r.beats(ctx))
}

// beats has a projector say that it is there, and waits until it has.
func (r *roundTrip) beats(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	projectors := projectionredis.NewProjectors(r.opts.Client, r.keys, projectionredis.ProjectorsOptions{Beat: 50 * time.Millisecond})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = projectors.Run(ctx) // whether it beats is what is looked at
	}()
	defer func() { cancel(); <-done }()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for range 200 {
		count, err := r.opts.Client.Do(ctx, r.opts.Client.B().Zcard().Key(r.keys.Projectors()).Build()).AsInt64()
		if err == nil && count == 1 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return false
}

// sharing tries what processes share that serve clients: sighting, needed, take.
func (r *roundTrip) sharing(ctx context.Context) {
	client := r.opts.Client
	clients := transportredis.NewClients(client, r.keys, transportredis.ClientsOptions{Grace: scratchLife})
	seen := transport.Sighting{Graph: r.graph, User: r.user, Client: r.client, Connection: "c", Has: r.folded.Position, Known: true, At: time.Now()}
	r.step("save what clients have", clients.Save(ctx, []transport.Sighting{seen}))
	found, err := clients.Find(ctx, r.graph, r.user, r.client)
	r.expect("find a client", err, len(found) == 1)
	_, needed, err := clients.Needed(ctx, r.graph)
	r.expect("find what clients need", err, needed)
	found, err = clients.Seen(ctx, r.graph, "", "", 10)
	r.expect("list clients", err, len(found) == 1)
	_, err = clients.Where(ctx, r.user)
	r.step("find a user", err)
	_, err = clients.Forget(ctx, r.client)
	r.step("forget a client", err)

	tickets := transportredis.NewTickets(client, r.keys)
	r.step("put a ticket", tickets.Put(ctx, r.client, []byte("ticket"), scratchLife))
	ticket, err := tickets.Take(ctx, r.client)
	r.expect("take a ticket", err, string(ticket) == "ticket")

	granted, err := transportredis.NewRates(client, r.keys).Take(ctx, "doctor", r.user, limit.Policy{Rate: 1, Burst: 10}, 1, 0)
	r.expect("take from a rate", err, granted.Tokens == 1)
	r.record(ctx)
}

// record writes what became of an operation, and looks it up.
func (r *roundTrip) record(ctx context.Context) {
	recorder := commandredis.New(r.opts.Client, r.keys, zap.NewNop())
	recorder.Record(command.Entry{OperationID: r.client, GraphID: r.graph, Type: "ADD_NODE", UserID: r.user, Version: 1, Timestamp: time.Now().UnixMilli()})
	ended, cancel := context.WithCancel(ctx)
	cancel() // it writes what it has, and ends
	err := recorder.Run(ended)
	if err == nil {
		_, found, failure := commandredis.New(r.opts.Client, r.keys, zap.NewNop()).Find(ctx, r.client)
		r.expect("record an operation", failure, found)
		return
	}
	r.step("record an operation", err)
}

// upkeep tries what operators do to logs: base, trim, floor, reindex, stage, rewrite.
func (r *roundTrip) upkeep(ctx context.Context) {
	base := eventstore.Base{Position: r.events[1].Position(), Data: []byte("a trial")}
	r.step("set a base", r.store.SetBase(ctx, r.graph, base))
	kept, err := r.store.Base(ctx, r.graph)
	r.expect("read a base", err, kept.Position == base.Position)
	r.step("trim", r.store.Trim(ctx, r.graph, r.events[:1]))
	_, err = r.store.Read(ctx, r.graph, 0, 1)
	if isTrimmed(err) {
		err = nil
	}
	r.step("read what was trimmed", err)
	r.step("repair the index", r.store.Reindex(ctx, r.graph, r.events[2:], map[string]eventstore.Version{"none": 1}))
	for _, err := range r.store.Index(ctx, r.graph) {
		r.step("read the index", err)
	}
	count, err := r.store.Indexed(ctx, r.graph)
	r.expect("count the index", err, count == 2)

	rewriting, err := r.store.Rewrite(ctx, r.graph, base)
	if err == nil {
		err = rewriting.Write(ctx, r.events[2:])
	}
	if err == nil {
		r.learn(ctx)
		var committed bool
		committed, err = rewriting.Commit(ctx, r.folded.Position)
		r.expect("rewrite", err, committed)
		err = rewriting.Discard(ctx)
	}
	r.step("rewrite", err)
}

// learn notes the keys of rewrites, which have names that nobody knows beforehand.
func (r *roundTrip) learn(ctx context.Context) {
	client := r.opts.Client
	tokens, err := client.Do(ctx, client.B().Smembers().Key(r.keys.Rewrites(r.graph)).Build()).AsStrSlice()
	r.step("list rewrites", err)
	for _, token := range tokens {
		for _, part := range []string{"events", "operations", "base", "done"} {
			r.extra = append(r.extra, r.keys.Rewrite(r.graph, token, part))
		}
	}
}

// remove deletes the graph through the ports: delete, twice.
func (r *roundTrip) remove(ctx context.Context) {
	r.step("delete a log", r.store.Delete(ctx, r.graph))
	r.step("delete read models", r.models.Delete(ctx, r.graph))
	head, err := r.store.Head(ctx, r.graph)
	r.expect("see it deleted", err, head.Version == 0)
}
