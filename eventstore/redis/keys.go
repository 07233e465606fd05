package redis

import (
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"graphy/eventstore"
)

// GraphsShards is the number of keys that the directory of graphs is spread over.
const GraphsShards = 16

// Keys builds every Redis key and channel of the project; nothing else does. A graph's id stands in braces, so that
// all keys of a graph share a slot of a cluster.
type Keys struct {
	Prefix string // goes before each
}

func (k Keys) graph(graph, rest string) string { return k.Prefix + "graph:{" + graph + "}:" + rest }

// Events is the graph's stream: entry "<version>-0" with the fields event and hash.
func (k Keys) Events(graph string) string { return k.graph(graph, "events") }

// Operations is the hash of operation id → version.
func (k Keys) Operations(graph string) string { return k.graph(graph, "operations") }

// Base is the hash of version, hash and data of what a trimmed stream begins with.
func (k Keys) Base(graph string) string { return k.graph(graph, "base") }

// Rewrite is one part of new content for the graph's stream in the making: "events", "operations", "base", and "done"
// once it was committed. All of them go away by themselves.
func (k Keys) Rewrite(graph, token, part string) string {
	return k.graph(graph, "rewrite:"+token+":"+part)
}

// Rewrites is the set of the tokens of the graph's rewrites.
func (k Keys) Rewrites(graph string) string { return k.graph(graph, "rewrites") }

// State is the hash of the read model's checkpoint, hash, checksum and counts.
func (k Keys) State(graph string) string { return k.graph(graph, "state") }

// Nodes is the hash of node id → canonical JSON.
func (k Keys) Nodes(graph string) string { return k.graph(graph, "nodes") }

// Edges is the hash of edge id → canonical JSON.
func (k Keys) Edges(graph string) string { return k.graph(graph, "edges") }

// Incident is the set of the ids of the edges at a node.
func (k Keys) Incident(graph, node string) string { return k.graph(graph, "incident:"+node) }

// Viewport is the hash of x, y and zoom.
func (k Keys) Viewport(graph string) string { return k.graph(graph, "viewport") }

// Conflicts is the hash of conflict id → record.
func (k Keys) Conflicts(graph string) string { return k.graph(graph, "conflicts") }

// Versions is the hash of client id → last version it reported.
func (k Keys) Versions(graph string) string { return k.graph(graph, "versions") }

// Connections is the hash of "<client> <connection>" → the version that it has, and when it was heard of.
func (k Keys) Connections(graph string) string { return k.graph(graph, "connections") }

// Stats is the hash of the graph's counts and progress.
func (k Keys) Stats(graph string) string { return k.graph(graph, "stats") }

// Snapshot is the string that holds the state at a version.
func (k Keys) Snapshot(graph string, version eventstore.Version) string {
	return k.graph(graph, "snapshot:"+strconv.FormatUint(uint64(version), 10))
}

// Snapshots is the zset of the snapshots there are, by version: "<version> <hash> <checksum>".
func (k Keys) Snapshots(graph string) string { return k.graph(graph, "snapshots") }

// Staged is what key, one of the graph's, is built in beside what is served, by whoever has the token.
func (k Keys) Staged(graph, token, key string) string {
	return k.graph(graph, "staged:"+token+":"+strings.TrimPrefix(key, k.graph(graph, "")))
}

// Absent is a key that nobody writes. A script that is given it is refused while the graph's slot moves; without it, it could
// fail halfway, when it is to write to a key that it has removed itself.
func (k Keys) Absent(graph string) string { return k.graph(graph, "absent") }

// Operation is the string that tells what became of an operation, for a while.
func (k Keys) Operation(id string) string { return k.Prefix + "operation:" + id }

// UserSession is the hash that tells where a user is.
func (k Keys) UserSession(user string) string { return k.Prefix + "user:" + user + ":session" }

// UserCommands is the list of a user's newest commands.
func (k Keys) UserCommands(user string) string { return k.Prefix + "user:" + user + ":commands" }

// Client is the hash of what a client needs to come back within the grace period.
func (k Keys) Client(id string) string { return k.Prefix + "client:" + id }

// Graphs is one shard, 0 to GraphsShards-1, of the directory: a zset of graph ids, all of score 0.
func (k Keys) Graphs(shard int) string { return k.Prefix + "graphs:" + strconv.Itoa(shard) }

// GraphsOf is the shard of the directory that graph belongs to.
func (k Keys) GraphsOf(graph string) string {
	return k.Graphs(int(xxhash.Sum64String(graph) % GraphsShards))
}

// GraphsActive is the zset of the graphs appended to lately, by the Unix milliseconds of their mark.
func (k Keys) GraphsActive() string { return k.Prefix + "graphs:active" }

// Ticket is the string behind a one-time ticket, by the ticket's hash.
func (k Keys) Ticket(hash string) string { return k.Prefix + "ticket:" + hash }

// Rate is the bucket of one key (a user, an address, a graph) of a kind of rate limit.
func (k Keys) Rate(kind, key string) string { return k.Prefix + "rate:" + kind + ":" + key }

// Projectors is the zset of the projectors at work, by the Unix milliseconds of their last beat.
func (k Keys) Projectors() string { return k.Prefix + "projectors" }

// Lease is the string that holds the name of the process that does work of a name, for as long as its lease lasts.
func (k Keys) Lease(name string) string { return k.Prefix + "lease:" + name }

// DeadLetters is the stream of what could not be processed.
func (k Keys) DeadLetters() string { return k.Prefix + "deadletters" }

// DeadLettersClosed is the stream of those that somebody has dealt with.
func (k Keys) DeadLettersClosed() string { return k.Prefix + "deadletters:closed" }

// EventsChannel is the channel on which the graph's new events are published.
func (k Keys) EventsChannel(graph string) string { return k.graph(graph, "events") }

// PresenceChannel is the channel on which processes tell each other of the presence of clients on a graph.
func (k Keys) PresenceChannel(graph string) string { return k.graph(graph, "presence") }

// KicksChannel is the channel on which processes are asked to end the connections of a client.
func (k Keys) KicksChannel() string { return k.Prefix + "kicks" }

// Kick is the list of what processes answer when they were asked to, each how many connections it ended.
func (k Keys) Kick(id string) string { return k.Prefix + "kick:" + id }

// AppendsChannel is the channel on which every append to any graph rings.
func (k Keys) AppendsChannel() string { return k.Prefix + "appends" }
