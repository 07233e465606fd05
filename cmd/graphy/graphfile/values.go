package graphfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The API's limits on one entity.
const (
	maxEntityBytes = 256 << 10
	maxTitleBytes  = 4 << 10
	maxDepth       = 32
)

var errDepth = errors.New("nested deeper than " + strconv.Itoa(maxDepth) + " levels")

// cleaner brings values into a form that the API takes. where names the entity, for the notes.
type cleaner struct {
	notes *notes
	where string
}

// object cleans all of o, an entity.
func (c cleaner) object(o Object) (Object, error) {
	cleaned := make(Object, len(o))
	for _, name := range names(o) {
		value, err := c.value(o[name], 2)
		if err != nil {
			return nil, fmt.Errorf("property %q: %w", name, err)
		}
		cleaned[c.allowedName(o, name)] = value
	}
	return cleaned, nil
}

// allowedName returns name, or another one that is new among siblings where Graphy forbids it.
func (c cleaner) allowedName(siblings Object, name string) string {
	if !forbidden(name) {
		return name
	}
	renamed := siblings.freeName(name)
	c.notes.add("property names that Graphy forbids were changed", fmt.Sprintf("%q to %q in %s", name, renamed, c.where))
	return renamed
}

// value returns the canonical form of a value at depth, the entity itself being at depth 1.
func (c cleaner) value(value jsontext.Value, depth int) (jsontext.Value, error) {
	switch value.Kind() {
	case '{':
		if depth > maxDepth {
			return nil, errDepth
		}
		var members Object
		if err := json.Unmarshal(value, &members); err != nil {
			return nil, err
		}
		cleaned := make(Object, len(members))
		for _, name := range names(members) {
			inner, err := c.value(members[name], depth+1)
			if err != nil {
				return nil, err
			}
			cleaned[c.allowedName(members, name)] = inner
		}
		return canonical(encode(cleaned))
	case '[':
		if depth > maxDepth {
			return nil, errDepth
		}
		var items []jsontext.Value
		if err := json.Unmarshal(value, &items); err != nil {
			return nil, err
		}
		for i, item := range items {
			inner, err := c.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			items[i] = inner
		}
		return encode(items), nil
	case '0':
		return c.number(value)
	}
	return canonical(value.Clone())
}

// number keeps a number that a double cannot hold as a string, which loses nothing.
func (c cleaner) number(value jsontext.Value) (jsontext.Value, error) {
	text := strings.TrimSpace(string(value))
	parsed, err := strconv.ParseFloat(text, 64)
	exact := err == nil
	if exact && !strings.ContainsAny(text, ".eE") && math.Abs(parsed) >= 1<<53 {
		exact = strconv.FormatFloat(parsed, 'f', -1, 64) == text || integral(parsed) == text
	}
	if !exact {
		c.notes.add("numbers that a double cannot hold became strings", text+" in "+c.where)
		return quote(text), nil
	}
	return canonical(jsontext.Value(text))
}

// integral returns all digits of a whole double.
func integral(number float64) string { return strconv.FormatFloat(number, 'f', 0, 64) }

func canonical(value jsontext.Value) (jsontext.Value, error) {
	if err := value.Canonicalize(); err != nil {
		return nil, err
	}
	return value, nil
}
