package transport

import (
	"testing"

	"graphy/eventstore"
)

// TestI4WhatWasThrownAwayDoesNotCount: a client that says good-bye before a page of the log was written to it has not got
// that page, and is not continued behind it.
func TestI4WhatWasThrownAwayDoesNotCount(t *testing.T) {
	at := eventstore.Position{Version: 7, Hash: "7"}
	o := &outbox{write: func() {}}
	o.restart(answer{at: eventstore.Position{Version: 5, Hash: "5"}}, 0)
	if has, ok := o.known(true); !ok || has.Version != 5 {
		t.Errorf("after a sync: got %+v, %v, want version 5", has, ok)
	}
	o.advance([][]byte{[]byte("6"), []byte("7")}, at)
	o.finish(nil, true)
	o.drop()
	if has, ok := o.known(true); ok {
		t.Errorf("got %+v for one whose page was thrown away", has)
	}
}
