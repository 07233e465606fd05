// Package commandtest holds the golden cases of what commands mean: their format, their loader, the comparison, and the
// runner that carries a case out against anything that takes requests.
//
// A case is a history (given), requests with their bases and clients (when), and what must come of them: answers,
// events, messages and the state at the end (then). It is written in JSON, in the words of the contract with clients,
// and says nothing of how it is carried out: a Driver does that, the pure one over a log in memory and the one through
// a running server alike. Nothing in here knows the code under test.
//
// Times are symbols, since a real clock differs from run to run: "@3" is the timestamp of version 3, "@3-1" a
// millisecond before it. In the same way "#3" is the checksum and "~3" the hash of version 3.
//
// The steps of a case are carried out one after the other, each when all that came of the one before has been seen.
// Nothing in here is safe for concurrent use.
package commandtest

import "github.com/go-json-experiment/json/jsontext"

// Case is one golden case.
type Case struct {
	Title string   `json:"title"`
	Shows []string `json:"shows"` // sentences of the semantics, word for word, "…" where one is cut

	// PureOnly says why the case can be carried out by the pure driver alone; "" if every driver can.
	PureOnly string `json:"pureOnly"`
	// Deployment is the deployment's conflict policy, path pattern to strategy; nil: none.
	Deployment jsontext.Value `json:"deployment"`

	Given []Step `json:"given"` // accepted, without conflicts
	When  []Step `json:"when"`
	Then  End    `json:"then"`

	File string `json:"-"` // that the case stands in
}

// Step is one request of one client. Members that have no name here are the request's body, as the contract has it.
type Step struct {
	// By is who sends it: "user/client", "ann/a1" if it is missing.
	By string `json:"by"`
	// Do says what is requested: a type of command, or "batch", "undo", "redo", "resolve", "policy", "GET", or of the
	// test itself "restart" (another process goes on with the log) and "trim" (the log forgets versions).
	Do   string                    `json:"do"`
	Over string                    `json:"over"` // "http": not over a WebSocket, where the driver has the choice
	Body map[string]jsontext.Value `json:",embed"`

	Times  int `json:"times"`  // sent so often, "$i" in its body replaced by 1, 2, 3 …; 0: once
	Repeat int `json:"repeat"` // of a batch: its operations stand in it so often; 0: once

	Refused string   `json:"refused"` // "code" or "code /pointer": it is refused, and leaves no event
	Then    *Outcome `json:"then"`    // nil: accepted, without conflict, by one event
}

// Outcome is what must come of a step. Of answers, events and messages only the members named are compared.
type Outcome struct {
	Answer   jsontext.Value              `json:"answer"`
	Event    jsontext.Value              `json:"event"`
	Events   []jsontext.Value            `json:"events"`   // of a step that makes several
	Messages map[string][]jsontext.Value `json:"messages"` // by client, beside state_update; clients not named get none
}

// End is what must be the case after the last step.
type End struct {
	State    jsontext.Value `json:"state"` // lists of nodes and edges in order of their ids; stamps only where named
	Version  int            `json:"version"`
	Checksum string         `json:"checksum"` // "#3": that of version 3
}
