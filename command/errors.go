package command

// Code is a problem code of API.md's table of errors.
type Code string

// The codes that this package gives; transport adds those of its own.
const (
	MalformedJSON     Code = "malformed-json"
	InvalidID         Code = "invalid-id"
	ClientAhead       Code = "client-ahead"
	HistoryMismatch   Code = "history-mismatch"
	HistoryTrimmed    Code = "history-trimmed"
	AlreadyExists     Code = "already-exists"
	TooLarge          Code = "too-large"
	UnknownCommand    Code = "unknown-command"
	InvalidPayload    Code = "invalid-payload"
	NodeNotFound      Code = "node-not-found"
	EdgeNotFound      Code = "edge-not-found"
	NotFound          Code = "not-found"
	OperationIDReused Code = "operation-id-reused"
	NothingToUndo     Code = "nothing-to-undo"
	NothingToRedo     Code = "nothing-to-redo"
	AlreadyResolved   Code = "already-resolved"
	EntityGone        Code = "entity-gone"
	Unavailable       Code = "unavailable"     // certainly nothing was accepted
	OutcomeUnknown    Code = "outcome-unknown" // it may have been accepted
	Internal          Code = "internal"
)

// Error is a refusal: the command is not in the log, unless Code is OutcomeUnknown.
type Error struct {
	Code        Code
	Detail      string // for a person; names what was given, never internals
	OperationID string // "" where the request named none and none was made
	Type        string // of the command, as far as a request that was refused for its form tells
	Fields      []FieldError
	dry         bool // of a dry run, which leaves nothing behind
	cause       error
}

// FieldError says which part of the request body is meant.
type FieldError struct {
	Pointer string // JSON Pointer (RFC 6901) into the request body
	Detail  string
}

func (e *Error) Error() string { return "command: " + string(e.Code) + ": " + e.Detail }

// Unwrap returns what went wrong underneath, for the log; nil for a plain refusal.
func (e *Error) Unwrap() error { return e.cause }
