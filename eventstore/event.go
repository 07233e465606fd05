package eventstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Version is a position in a stream: 1 is the first event, 0 the empty stream. Versions have no holes.
type Version uint64

// Hash stands for the whole history up to and including one event: the first 16 bytes, in lower-case hex (32
// digits), of SHA-256(hash of the event before ‖ data of the event). The hash of version 0 is "".
type Hash string

// NextHash returns the hash of the event data that follows an event of hash previous.
func NextHash(previous Hash, data []byte) Hash {
	var buffer [1024]byte
	sum := sha256.Sum256(append(append(buffer[:0], previous...), data...))
	var digits [32]byte
	hex.Encode(digits[:], sum[:16])
	return Hash(digits[:])
}

// Event is one entry of a stream.
type Event struct {
	Version Version
	// Data is the event as clients get it: one JSON object on one line. Whoever holds an Event may keep Data and
	// must not write to it.
	Data []byte
	Hash Hash
	// Operations are the ids of the operations that this event settles. Append writes them into the stream's index
	// of operations together with the event; reads leave them nil (Data has them too).
	Operations []string
}

// Position is a version and the hash that goes with it; the zero value is the empty stream.
type Position struct {
	Version Version `json:"version"`
	Hash    Hash    `json:"hash"`
}

// Position returns where the stream stands after e.
func (e Event) Position() Position { return Position{e.Version, e.Hash} }

// VerifyChain checks that events follow from without a hole and that their hashes chain. Its error is a
// *ChainError.
func VerifyChain(stream string, from Position, events []Event) error {
	for _, event := range events {
		if event.Version != from.Version+1 {
			return &ChainError{Stream: stream, Version: from.Version + 1,
				Reason: fmt.Sprintf("version %d is missing, %d follows %d", from.Version+1, event.Version, from.Version)}
		}
		if want := NextHash(from.Hash, event.Data); event.Hash != want {
			return &ChainError{Stream: stream, Version: event.Version,
				Reason: fmt.Sprintf("hash is %.64q, the data and the event before it give %q", event.Hash, want)}
		}
		from = event.Position()
	}
	return nil
}
