package command

import (
	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// mergeSets merges arrays of scalars without doubles as sets: what either removed is gone, what either added is
// there. The server's elements come first, in its order, then the client's additions, in the client's. A base that is
// not there counts as empty.
func mergeSets(base, server, client jsontext.Value) (jsontext.Value, mergeOutcome) {
	inBase, ok := readSet(base)
	if base == nil {
		ok = true
	}
	inServer, okServer := readSet(server)
	inClient, okClient := readSet(client)
	if !ok || !okServer || !okClient {
		return nil, unmergeable
	}
	written := append(make(jsontext.Value, 0, len(server)+len(client)), '[')
	add := func(element jsontext.Value) {
		if len(written) > 1 {
			written = append(written, ',')
		}
		written = append(written, element...)
	}
	for element := range projection.Elements(server) {
		if inClient[string(element)] || !inBase[string(element)] {
			add(element)
		}
	}
	for element := range projection.Elements(client) {
		if !inServer[string(element)] && !inBase[string(element)] {
			add(element)
		}
	}
	return append(written, ']'), merged
}

// readSet returns the elements of an array of scalars without doubles; false for anything else. Equal scalars have
// equal bytes, since they are canonical.
func readSet(array jsontext.Value) (map[string]bool, bool) {
	if len(array) == 0 || array[0] != '[' {
		return nil, false
	}
	set := make(map[string]bool)
	for element := range projection.Elements(array) {
		if element[0] == '{' || element[0] == '[' || set[string(element)] {
			return nil, false
		}
		set[string(element)] = true
	}
	return set, true
}
