package redis

import (
	"strconv"

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

// DeadLetters is the stream of what could not be processed.
func (k Keys) DeadLetters() string { return k.Prefix + "deadletters" }

// EventsChannel is the channel on which the graph's new events are published.
func (k Keys) EventsChannel(graph string) string { return k.graph(graph, "events") }

// PresenceChannel is the channel on which processes tell each other of the presence of clients on a graph.
func (k Keys) PresenceChannel(graph string) string { return k.graph(graph, "presence") }

// AppendsChannel is the channel on which every append to any graph rings.
func (k Keys) AppendsChannel() string { return k.Prefix + "appends" }
