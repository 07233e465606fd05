package transport

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
)

// appendString appends text as a JSON string. Ids need no escaping and take the short way.
func appendString(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7F {
			dst, _ = jsontext.AppendQuote(dst, text) // fails for invalid UTF-8 alone, and then has replaced it
			return dst
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}

// appendText appends a string member that follows another one; name needs no escaping.
func appendText(dst []byte, name, text string) []byte {
	return appendString(appendName(dst, name), text)
}

// appendNumber is appendText for a whole number.
func appendNumber(dst []byte, name string, number int64) []byte {
	return strconv.AppendInt(appendName(dst, name), number, 10)
}

// appendName appends the comma, the name and the colon of a member that follows another one.
func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, ',', '"'), name...), '"', ':')
}

// appendArray appends values as a JSON array.
func appendArray[Value ~[]byte](dst []byte, values []Value) []byte {
	dst = append(dst, '[')
	for i, value := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, value...)
	}
	return append(dst, ']')
}

// strictly refuses members that an object does not have.
var strictly = json.RejectUnknownMembers(true)

// decode decodes a small object; what names it in the refusal of one that is not as it should be.
func decode(data []byte, into any, what string, how ...json.Options) error {
	err := json.Unmarshal(data, into, how...)
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntactic):
		return refuse(command.MalformedJSON, "the %s is not one JSON object: see byte %d", what, syntactic.ByteOffset)
	case errors.As(err, &semantic) && semantic.JSONPointer != "":
		detail := "has no place in such a " + what + ", or is of the wrong type"
		return &command.Error{Code: command.InvalidPayload, Detail: string(semantic.JSONPointer) + " " + detail,
			Fields: []command.FieldError{{Pointer: string(semantic.JSONPointer), Detail: detail}}}
	}
	return refuse(command.InvalidPayload, "the %s is not of its form", what)
}
