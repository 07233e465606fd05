package auth

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// errNotPlain is for JSON that two readers might take for two different things.
const errNotPlain = claimError("a part of it is not one JSON object, or names something twice")

// readObject decodes a JSON object into fields by name. A field of another type, one that is null, a name that stands
// there twice at any depth, and text that is not UTF-8 are refused. Names are compared by case; others than those of
// fields pass.
func readObject(data []byte, fields map[string]any) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data)) // which it reads in place
	if start, err := dec.ReadToken(); err != nil || start.Kind() != '{' {
		return errNotPlain
	}
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return errNotPlain
		}
		name := token.String()
		field, known := fields[name]
		if !known {
			if err := dec.SkipValue(); err != nil {
				return errNotPlain
			}
			continue
		}
		if dec.PeekKind() == 'n' || json.UnmarshalDecode(dec, field) != nil {
			return claimError(name + " is not what it should be")
		}
	}
	if _, err := dec.ReadToken(); err != nil { // the end of the object
		return errNotPlain
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errNotPlain
	}
	return nil
}
