package upkeep

import (
	"graphy/eventstore"
	"graphy/projection"
)

// Verified is what Verify found.
type Verified struct {
	GraphID    string                `json:"graphId"`
	OK         bool                  `json:"ok"`
	Version    eventstore.Version    `json:"version"`    // of the log that was verified up to
	Checkpoint eventstore.Version    `json:"checkpoint"` // of the read models that were compared
	Events     int64                 `json:"events"`
	Mismatches int                   `json:"mismatches"`
	First      []projection.Mismatch `json:"first,omitempty"` // the first 100 of them
	Millis     int64                 `json:"millis"`
}

// RebuildOptions say how.
type RebuildOptions struct {
	FromSnapshot bool // fold from the newest snapshot that fits, not from the beginning
	DryRun       bool // find out what differs, and change nothing
}

// Rebuilt is what became of a graph: Outcome is "unchanged" (nothing differed, nothing was written), "rebuilt" (there
// were no read models), "different" (some differed, and were replaced; in a dry run: would be), "parked" (the log cannot
// be folded; nothing was changed).
type Rebuilt struct {
	GraphID     string                `json:"graphId"`
	Outcome     string                `json:"outcome"`
	DryRun      bool                  `json:"dryRun,omitempty"`
	Version     eventstore.Version    `json:"version"`
	Events      int64                 `json:"events"`
	Differences int                   `json:"differences"`
	First       []projection.Mismatch `json:"first,omitempty"`
	Cause       string                `json:"cause,omitempty"` // why it is parked
	Millis      int64                 `json:"millis"`
}

// Retained is what Retain did: Outcome is "trimmed", "kept" (nothing was to be trimmed), "skipped" (it could not be, see
// Cause).
type Retained struct {
	GraphID  string             `json:"graphId"`
	Outcome  string             `json:"outcome"`
	DryRun   bool               `json:"dryRun,omitempty"`
	First    eventstore.Version `json:"first"` // the oldest event that is kept now
	Version  eventstore.Version `json:"version"`
	Trimmed  int64              `json:"trimmed"`
	Archived int64              `json:"archived"` // events written to the archive this time
	Cause    string             `json:"cause,omitempty"`
	Millis   int64              `json:"millis"`
}

// Restored is what Restore did: Outcome is "restored", "unchanged" (all of it is there).
type Restored struct {
	GraphID string             `json:"graphId"`
	Outcome string             `json:"outcome"`
	DryRun  bool               `json:"dryRun,omitempty"`
	First   eventstore.Version `json:"first"`
	Version eventstore.Version `json:"version"`
	Added   int64              `json:"added"`    // events that the stream did not have
	Changed int64              `json:"replaced"` // damaged events that were replaced
	Millis  int64              `json:"millis"`
}

// SkipOptions say how, why and who.
type SkipOptions struct {
	Cascade bool // also skip later events that cannot be folded without it
	DryRun  bool
	Reason  string
	By      string
}

// Skipped is what Skip did. The events skipped stand in the log as events of type SKIP without changes; the hash of
// each later event is another one, so clients that have them are given a state.
type Skipped struct {
	GraphID string               `json:"graphId"`
	DryRun  bool                 `json:"dryRun,omitempty"`
	Skipped []eventstore.Version `json:"skipped"`
	// Needs are the versions that would have to be skipped too: nothing was done.
	Needs   []eventstore.Version `json:"needs,omitempty"`
	Version eventstore.Version   `json:"version"`
}

// Copied is what Copy did.
type Copied struct {
	GraphID string             `json:"graphId"` // the new graph
	From    string             `json:"from"`
	Version eventstore.Version `json:"version"`
	Hash    eventstore.Hash    `json:"hash"`
}

// Exported is the manifest entry of one graph of an exported archive.
type Exported struct {
	GraphID string              `json:"graphId"`
	From    eventstore.Position `json:"from"` // of its base; version 0 for none
	To      eventstore.Position `json:"to"`
	Events  int64               `json:"events"`
}

// ImportOptions say how.
type ImportOptions struct {
	Replace bool // also graphs whose history is another one, or that have come further
	DryRun  bool
}

// Imported is what became of one graph of an archive: Outcome is "imported" (it was not there), "extended" (the archive
// had more), "unchanged", "replaced", "refused" (see Cause).
type Imported struct {
	GraphID string             `json:"graphId"`
	Outcome string             `json:"outcome"`
	DryRun  bool               `json:"dryRun,omitempty"`
	Version eventstore.Version `json:"version"`
	Events  int64              `json:"events"`
	Cause   string             `json:"cause,omitempty"`
}

// Compared is where two histories part.
type Compared struct {
	Same   bool                `json:"same"`
	Common eventstore.Position `json:"common"` // the last position that both have
	A      eventstore.Position `json:"a"`
	B      eventstore.Position `json:"b"`
}
