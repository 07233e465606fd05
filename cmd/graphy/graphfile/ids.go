package graphfile

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const maxIDBytes = 128

// ValidID tells whether id can be the id of a node or edge, or of a graph.
func ValidID(id string) bool {
	if id == "" || len(id) > maxIDBytes || forbidden(id) || strings.Trim(id, ".") == "" {
		return false
	}
	for i := range len(id) {
		if !idByte(id[i]) {
			return false
		}
	}
	return true
}

func idByte(b byte) bool {
	return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || strings.IndexByte("._~:@-", b) >= 0
}

// forbidden tells whether name may be neither an id nor the name of a property.
func forbidden(name string) bool {
	return name == "__proto__" || name == "constructor" || name == "prototype"
}

// mapID returns a Graphy id for an id that is none: what is left of it, for the reader, and a digest of the whole,
// so that different ids stay different and the same one is always mapped alike.
func mapID(original string) string {
	var slug strings.Builder
	for i := 0; i < len(original) && slug.Len() < 64; i++ {
		if b := original[i]; idByte(b) {
			slug.WriteByte(b)
		} else if !strings.HasSuffix(slug.String(), "-") {
			slug.WriteByte('-')
		}
	}
	return strings.Trim(slug.String(), "-.") + "-" + digest(original)[:16]
}

// edgeID returns the id of an edge that has none: the ordinal-th from source to target, from 0.
func edgeID(source, target string, ordinal int) string {
	return "e-" + digest(source, target, strconv.Itoa(ordinal))[:24]
}

// digest returns the hash of the parts in hex. No two lists of parts run into each other: none of an edge's parts
// contains a NUL.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// reference returns what an id in a file stands for: strings for themselves, any other value for its JSON. It is
// false where there is none.
func reference(value jsontext.Value) (string, bool) {
	switch value.Kind() {
	case '"':
		var text string
		err := json.Unmarshal(value, &text)
		return text, err == nil
	case 0, 'n':
		return "", false
	}
	compact, err := canonical(value.Clone())
	return string(compact), err == nil
}
