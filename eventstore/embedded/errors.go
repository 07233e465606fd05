package embedded

import (
	"errors"
	"fmt"
)

// ErrLocked matches the error of Open for a folder that another process has open.
var ErrLocked = errors.New("in use by another process")

// CorruptError is the error of Open for a journal that is damaged elsewhere than at its torn end. Nothing has been
// changed: put back a copy of the file, or move it away to start empty.
type CorruptError struct {
	File   string
	Offset int64 // where the damage begins
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal %s is damaged at offset %d: %s; restore the file from a backup, "+
		"or move it away to start without its events", e.File, e.Offset, e.Reason)
}

var (
	// errNotWritten: nothing of the record is or will be in the journal.
	errNotWritten = errors.New("not journaled")
	// errInDoubt: the record may come up when the journal is opened next.
	errInDoubt = errors.New("journal in doubt")
)
