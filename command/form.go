package command

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file checks the form that every body shares: JSON, numbers, names, depth.

// parserDepth is how many levels of nesting the JSON parser takes.
const parserDepth = 10_000

// canonicalObject returns body, which must be an object, in canonical form, or an *Error: 400 for what is not JSON,
// 422 for numbers that a double cannot hold. Equal requests have equal canonical bodies. depth is told to whose body is too
// deep to be read at all.
func canonicalObject(body []byte, depth int) (jsontext.Value, error) {
	if plain, ok := projection.CanonicalPlain(body); ok && plain.Kind() == '{' {
		return plain, nil // its numbers need no check
	}
	object, err := projection.Canonical(body)
	switch {
	case err != nil && nesting(body) > parserDepth:
		return nil, invalid("", "nested deeper than %d levels", depth)
	case err != nil:
		return nil, malformed(err)
	case object.Kind() != '{':
		return nil, invalid("", "the body must be an object")
	}
	if hasLongNumber(body) {
		if err := checkNumbers(body); err != nil {
			return nil, named(err, object)
		}
	}
	return object, nil
}

func malformed(err error) *Error {
	detail := strings.TrimPrefix(err.Error(), "jsontext: ")
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && syntactic.Err != nil {
		detail = fmt.Sprintf("%s, at byte %d", strings.TrimPrefix(syntactic.Err.Error(), "jsontext: "), syntactic.ByteOffset)
	}
	return &Error{Code: MalformedJSON, Detail: "the body is not one JSON value: " + detail}
}

// hasLongNumber tells whether a valid JSON text may hold a number that a double does not: one with an exponent, an
// integer of 16 digits and more, or hundreds of digits.
func hasLongNumber(text []byte) bool {
	digits, fraction := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c >= '0' && c <= '9':
			digits++
		case digits == 0:
		case c == '.':
			fraction = true
		case c == 'e' || c == 'E', digits >= 16 && !fraction, digits >= 300:
			return true
		default:
			digits, fraction = 0, false
		}
	}
	return false
}

// checkNumbers refuses integers, written without fraction or exponent, that a double cannot hold, and numbers out of
// a double's range. What is not JSON is left to others.
func checkNumbers(body []byte) *Error {
	decoder := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil
		}
		if token.Kind() != '0' {
			continue
		}
		text := token.String()
		number, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil:
			return invalid(string(decoder.StackPointer()), "the number %.40s is out of range", text)
		case strings.ContainsAny(text, ".eE"):
		default:
			// The digits a double is printed with may stand for it, though they are not its exact value.
			exact, _ := new(big.Float).SetFloat64(number).Int(nil)
			written, ok := new(big.Int).SetString(text, 10)
			if ok && exact.Cmp(written) != 0 && strconv.FormatFloat(number, 'f', -1, 64) != text {
				return invalid(string(decoder.StackPointer()), "the integer %.40s cannot be held exactly (beyond 2^53)", text)
			}
		}
	}
}

// forbiddenNames are property names that turn against JavaScript clients (prototype pollution).
var forbiddenNames = [...]string{"__proto__", "constructor", "prototype"}

func isForbidden(name string) bool { return slices.Contains(forbiddenNames[:], name) }

// checkTree refuses forbidden names at any depth of a canonical value and nesting deeper than depth levels.
func checkTree(value jsontext.Value, pointer string, depth int) *Error {
	suspicious := nesting(value) > depth
	for _, name := range forbiddenNames {
		suspicious = suspicious || bytes.Contains(value, []byte(`"`+name+`":`))
	}
	if !suspicious {
		return nil
	}
	return walkTree(value, pointer, depth, depth)
}

func walkTree(value jsontext.Value, pointer string, depth, limit int) *Error {
	if kind := value.Kind(); (kind == '{' || kind == '[') && depth == 0 {
		return invalid(pointer, "nested deeper than %d levels", limit)
	}
	switch value.Kind() {
	case '{':
		for name, member := range projection.Members(value) {
			at := pointer + "/" + escapePointer(projection.Name(name))
			if isForbidden(string(name)) {
				return invalid(at, "the property name %q is not allowed", name)
			}
			if err := walkTree(member, at, depth-1, limit); err != nil {
				return err
			}
		}
	case '[':
		index := 0
		for element := range projection.Elements(value) {
			if err := walkTree(element, pointer+"/"+strconv.Itoa(index), depth-1, limit); err != nil {
				return err
			}
			index++
		}
	}
	return nil
}

// nesting returns how deep a JSON text goes: 0 for a scalar, 1 for {}.
func nesting(value []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > deepest {
				deepest = depth
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(name string) string { return pointerEscaper.Replace(name) }

// invalid is the refusal of one part of the body as invalid-payload.
func invalid(pointer, format string, args ...any) *Error {
	return refuse(InvalidPayload, pointer, format, args...)
}

// refuse is a refusal that points at one part of the body.
func refuse(code Code, pointer, format string, args ...any) *Error {
	detail := fmt.Sprintf(format, args...)
	return &Error{Code: code, Detail: detail, Fields: []FieldError{{Pointer: pointer, Detail: detail}}}
}

// CheckID tells whether id is a valid id of a graph, node, edge, operation, client or gesture: nil, or an *Error with
// Code InvalidID and the given pointer ("" for none).
func CheckID(id, pointer string) error {
	if reason := idFault(id); reason != "" {
		err := &Error{Code: InvalidID, Detail: "the id " + reason}
		if pointer != "" {
			err.Fields = []FieldError{{Pointer: pointer, Detail: err.Detail}}
		}
		return err
	}
	return nil
}

// idFault says what is wrong with id, "" if nothing is.
func idFault(id string) string {
	if len(id) == 0 || len(id) > 128 {
		return "must have 1 to 128 bytes"
	}
	dots := 0
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9',
			c == '_', c == '~', c == ':', c == '@', c == '-':
		case c == '.':
			dots++
		default:
			return "may hold A-Z a-z 0-9 . _ ~ : @ - only"
		}
	}
	if dots == len(id) {
		return "must not be dots only"
	}
	if isForbidden(id) {
		return "must not be __proto__, constructor or prototype"
	}
	return ""
}

// under moves a refusal of a value, which points from there, to where the value stands. Pointers are put together for
// refusals only, since almost no command has one.
func (e *Error) under(pointer string) *Error {
	for i := range e.Fields {
		e.Fields[i].Pointer = pointer + e.Fields[i].Pointer
	}
	return e
}

// idValue reads an id out of a body. A wrong type is an invalid id too.
func idValue(value jsontext.Value) (string, *Error) {
	if value.Kind() != '"' {
		return "", refuse(InvalidID, "", "the id must be a string")
	}
	id := projection.Text(value)
	if reason := idFault(id); reason != "" {
		return "", refuse(InvalidID, "", "the id %s", reason)
	}
	return id, nil
}

// wholeNumber reads an integer from 0 to 2^53.
func wholeNumber(value jsontext.Value) (int64, *Error) {
	if value.Kind() == '0' {
		if number, err := strconv.ParseInt(string(value), 10, 64); err == nil && number >= 0 && number <= 1<<53 {
			return number, nil
		}
	}
	return 0, invalid("", "must be a whole number from 0 to 2^53")
}
