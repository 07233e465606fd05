package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"graphy/eventstore"
)

// link is a position in a chain of hashes, and how to come to the next one without allocating.
type link struct {
	version eventstore.Version
	hash    [hashBytes]byte // none at version 0
	sha     hash.Hash
	sum     [sha256.Size]byte
}

func newLink(at eventstore.Position) *link {
	l := &link{version: at.Version, sha: sha256.New()}
	copy(l.hash[:], at.Hash)
	return l
}

func (l *link) position() eventstore.Position {
	if l.version == 0 {
		return eventstore.Position{}
	}
	return eventstore.Position{Version: l.version, Hash: eventstore.Hash(l.hash[:])}
}

// next moves on to the event of these data.
func (l *link) next(data []byte) {
	l.sha.Reset()
	if l.version > 0 {
		l.sha.Write(l.hash[:])
	}
	l.sha.Write(data)
	hex.Encode(l.hash[:], l.sha.Sum(l.sum[:0])[:hashBytes/2])
	l.version++
}

// follow moves on to event; its error says why it is not the next one (compare eventstore.VerifyChain).
func (l *link) follow(graph string, event *eventstore.Event) error {
	if event.Version != l.version+1 {
		return &eventstore.ChainError{Stream: graph, Version: l.version + 1,
			Reason: fmt.Sprintf("version %d is missing, %d follows %d", l.version+1, event.Version, l.version)}
	}
	if l.next(event.Data); string(event.Hash) != string(l.hash[:]) {
		return &eventstore.ChainError{Stream: graph, Version: event.Version,
			Reason: fmt.Sprintf("hash is %.64q, the data and the event before it give %q", event.Hash, l.hash)}
	}
	return nil
}
