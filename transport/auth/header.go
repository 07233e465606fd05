package auth

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// header is what this package reads of a token's header. It says which key to try, and never what to do with it.
type header struct {
	alg string
	kid string // "": none
}

// readHeader decodes the header of a token, strictly.
func readHeader(token string) (header, error) {
	part, _, _ := strings.Cut(token, ".")
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return header{}, errNotPlain
	}
	var h header
	var kind string
	var critical jsontext.Value
	if err := readObject(data, map[string]any{"alg": &h.alg, "kid": &h.kid, "typ": &kind, "crit": &critical}); err != nil {
		return header{}, err
	}
	if critical != nil {
		return header{}, claimError("its header has crit, and there is no extension that is understood here")
	}
	if !isAccess(kind) {
		return header{}, claimError("its typ is of tokens for something else")
	}
	return h, nil
}

// isAccess says whether typ, which tokens may leave out, is one of access: the same keys sign other things, too.
func isAccess(typ string) bool {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return typ == "" || typ == "jwt" || typ == "at+jwt"
}
