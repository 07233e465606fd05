package transport

import (
	"time"

	"graphy/eventstore"
	"graphy/projection/upkeep"
)

// Diagnosis is what a look at the whole installation found.
type Diagnosis struct {
	Severity string    `json:"severity"` // the worst of its findings
	Findings []Finding `json:"findings"`
}

// The severities of findings, from good to bad.
const (
	SeverityOK      = "ok"
	SeverityInfo    = "info"
	SeverityWarning = "warning"
	SeverityError   = "error"
)

// Finding is the outcome of one check.
type Finding struct {
	Check    string `json:"check"` // names the check, the same each time
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Remedy   string `json:"remedy,omitempty"`
}

// Setting is one value that the process goes by.
type Setting struct {
	Name   string `json:"name"` // of the variable
	Value  string `json:"value"`
	Source string `json:"source"`          // "default", "environment" or "flag"
	Secret bool   `json:"secret,omitzero"` // Value says whether there is one, not which
}

// TokenRequest asks for a token.
type TokenRequest struct {
	User   string            `json:"user"`
	Graphs map[string]string `json:"graphs,omitempty"` // graph id or "*" → role
	Admin  bool              `json:"admin,omitzero"`
	TTL    string            `json:"ttl,omitempty"` // a duration, as "12h"; absent: as the server sees fit
}

// Token is what was asked for.
type Token struct {
	Token   string `json:"token"`
	Expires int64  `json:"expires"` // Unix ms
}

// SeedRequest asks for a demo graph with a lively history. Zero values are as the server sees fit.
type SeedRequest struct {
	GraphID string `json:"graphId"`
	Events  int    `json:"events,omitzero"`
	Users   int    `json:"users,omitzero"`
	Seed    uint64 `json:"seed,omitzero"` // the same one makes the same history
}

// Seeded is the graph that was made.
type Seeded struct {
	GraphID string             `json:"graphId"`
	Version eventstore.Version `json:"version"`
	Events  int                `json:"events"`
	Nodes   int                `json:"nodes"`
	Edges   int                `json:"edges"`
}

// SessionInfo is one connection of a client to a graph.
type SessionInfo struct {
	GraphID      string             `json:"graphId"`
	UserID       string             `json:"userId,omitempty"` // "" if it is not known here
	ClientID     string             `json:"clientId"`
	ConnectionID string             `json:"connectionId"`
	Kind         string             `json:"kind"`               // one of those below
	Connected    int64              `json:"connected,omitzero"` // since, Unix ms
	Heard        int64              `json:"heard,omitzero"`     // of it last, Unix ms; of other processes alone
	Reported     eventstore.Version `json:"reported,omitzero"`  // what it is known to have

	// Of connections to the process that answers.
	Address string             `json:"address,omitempty"`
	Sent    eventstore.Version `json:"sent,omitzero"`   // what was sent to it leads to that version
	Lag     uint64             `json:"lag,omitzero"`    // events behind what the process has seen
	Queued  int                `json:"queued,omitzero"` // bytes that wait to be sent to it
}

// The kinds of connections.
const (
	SessionWebSocket = "websocket" // to the process that answers
	SessionStream    = "stream"    // of events, to the process that answers
	SessionElsewhere = "elsewhere" // a WebSocket to another process, as far as is known
	SessionAway      = "away"      // it ended, and the client may come back
)

// Sessions are a page of connections.
type Sessions struct {
	Sessions []SessionInfo `json:"sessions"`
	Cursor   string        `json:"cursor,omitempty"` // where the next page begins; "": this is the last one
}

// Kicked is what the end of a client's connections came to.
type Kicked struct {
	ClientID  string `json:"clientId"`
	Ended     int    `json:"ended"`     // connections, in all processes
	Forgotten bool   `json:"forgotten"` // what was remembered of it, so that it cannot be continued
}

// GraphInfo is how a graph stands.
type GraphInfo struct {
	GraphID      string             `json:"graphId"`
	Version      eventstore.Version `json:"version"`    // of its log
	Checkpoint   eventstore.Version `json:"checkpoint"` // of its read models
	Lag          uint64             `json:"lag"`        // events from one to the other
	LagSeconds   float64            `json:"lagSeconds"` // since the first of them was written
	Nodes        int                `json:"nodes"`
	Edges        int                `json:"edges"`
	LastModified int64              `json:"lastModified"`
	First        eventstore.Version `json:"first"`           // the oldest event that the log keeps; 0: none
	State        string             `json:"state"`           // "ok", "behind", "parked", "broken"
	Cause        string             `json:"cause,omitempty"` // why it is parked or broken
	Bytes        *int64             `json:"bytes,omitempty"` // in Redis; absent if that cannot be told
}

// The states of a graph.
const (
	GraphOK     = "ok"
	GraphBehind = "behind" // the read models have not come to the end of the log
	GraphParked = "parked" // they will not, before an operator has done something
	GraphBroken = "broken" // the log, or where the read models stand, cannot be read
)

// Graphs are a page of graphs, by id.
type Graphs struct {
	Graphs []GraphInfo `json:"graphs"`
	Cursor string      `json:"cursor,omitempty"` // the next page begins after it; "": this is the last one
}

// GraphDetail is all that is known of how a graph stands.
type GraphDetail struct {
	GraphInfo
	Stats     *GraphStats           `json:"stats,omitempty"`
	Base      *eventstore.Position  `json:"base,omitempty"` // the state that the log begins with, if it was trimmed
	Snapshots []eventstore.Position `json:"snapshots"`      // newest first
	Archive   []ArchiveSegment      `json:"archive,omitempty"`
	Clients   []SessionInfo         `json:"clients"`
}

// GraphStats are counts of what happened in a graph.
type GraphStats struct {
	Version   eventstore.Version `json:"version"`
	Events    int64              `json:"events"`
	ByType    map[string]int64   `json:"byType"`
	Completed int                `json:"completed"` // nodes
}

// ArchiveSegment is a run of events of a graph in the archive.
type ArchiveSegment struct {
	From  eventstore.Position `json:"from"` // the event before
	To    eventstore.Position `json:"to"`
	Bytes int64               `json:"bytes"` // compressed
}

// LetterInfo is a dead letter.
type LetterInfo struct {
	ID       string             `json:"id"`
	GraphID  string             `json:"graphId"`
	Version  eventstore.Version `json:"version"`
	Cause    string             `json:"cause"`
	Attempts int                `json:"attempts"`
	Time     int64              `json:"time"`              // Unix ms
	Payload  string             `json:"payload,omitempty"` // the event as it stands in the log; of a single letter alone
	Closed   *LetterClosed      `json:"closed,omitempty"`  // absent while it is open
}

// LetterClosed says what was done about a dead letter.
type LetterClosed struct {
	Outcome string `json:"outcome"` // "retried", "skipped", "discarded"
	Reason  string `json:"reason"`
	By      string `json:"by"`
	Time    int64  `json:"time"` // Unix ms
}

// Letters are a page of dead letters, newest first.
type Letters struct {
	Letters []LetterInfo `json:"letters"`
	Before  string       `json:"before,omitempty"` // the next page is before it; "": this is the last one
}

// LetterAct is what was done about a dead letter.
type LetterAct struct {
	ID      string          `json:"id"`
	GraphID string          `json:"graphId"`
	Outcome string          `json:"outcome"` // as in LetterClosed; in a dry run: what it would be
	DryRun  bool            `json:"dryRun,omitzero"`
	Skipped *upkeep.Skipped `json:"skipped,omitempty"`
}

// Selected names the graphs that an act is for, and how it goes over them.
type Selected struct {
	Graphs   []string `json:"graphs,omitempty"`
	All      bool     `json:"all,omitzero"`
	After    string   `json:"after,omitempty"`   // of all: those after it alone
	Parallel int      `json:"parallel,omitzero"` // graphs at a time; 0: as the server sees fit
}

// Line is a line of the answer to a long act. Type says which of the other members it has.
type Line[R any] struct {
	Type string `json:"type"` // "progress", "result", "end", "error"

	Done       int     `json:"done,omitzero"`  // graphs, or what the act counts
	Total      int     `json:"total,omitzero"` // 0: not known
	Events     int64   `json:"events,omitzero"`
	Rate       float64 `json:"rate,omitzero"` // events a second
	LeftMillis int64   `json:"leftMillis,omitzero"`
	After      string  `json:"after,omitempty"` // this graph and all before it are done: where to go on from after a break

	Result  *R       `json:"result,omitempty"` // the report of a graph, or a Failed
	Summary *Summary `json:"summary,omitempty"`
	Error   *Problem `json:"error,omitempty"`
}

// Failed is what stands in the place of a report of a graph on which an act failed.
type Failed struct {
	GraphID string  `json:"graphId"`
	Error   Problem `json:"error"`
}

// Summary is what a long act came to.
type Summary struct {
	Graphs   int            `json:"graphs"`             // that were worked on
	Failed   int            `json:"failed,omitzero"`    // of them
	Outcomes map[string]int `json:"outcomes,omitempty"` // graphs by outcome
	Events   int64          `json:"events"`
	Millis   int64          `json:"millis"`
}

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   string         `json:"code"`
	Errors []ProblemField `json:"errors,omitempty"`
}

// ProblemField says what of a request is meant.
type ProblemField struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// maxTTL is the longest life of a token that operators may ask for.
const maxTTL = 366 * 24 * time.Hour

// Lifetime returns how long the token is to live; 0: as the server sees fit. It fails if that is no time, or more than a
// year.
func (r TokenRequest) Lifetime() (time.Duration, error) {
	if r.TTL == "" {
		return 0, nil
	}
	ttl, err := time.ParseDuration(r.TTL)
	if err != nil || ttl < time.Second || ttl > maxTTL {
		return 0, refuseField("/ttl", "%.64q is no duration from 1s to %dh, as 12h", r.TTL, int(maxTTL.Hours()))
	}
	return ttl, nil
}
