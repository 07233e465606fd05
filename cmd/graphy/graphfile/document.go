// Package graphfile reads and writes graphs as files: node-link JSON (d3, vega, networkx), Cytoscape.js JSON,
// GraphML and Graphy's own JSON, each to and from a neutral Document.
//
// A Document that Read returns is ready for import: its ids are Graphy ids, both ends of every edge exist, no id is
// there twice, property names are allowed, and entities are within the limits of size and depth. Nothing of a file
// is lost on the way without a note that says so; what Write writes, Read reads back to the same nodes, edges and
// viewport. The same file always gives the same Document, ids included.
//
// The functions are pure but for the reader or writer they are given, and safe for concurrent use. What to do with
// a Document is left to others.
package graphfile

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Document is a graph outside of Graphy.
type Document struct {
	Nodes []Object // in the file's order; each has an "id"
	Edges []Object // in the file's order; each has "id", "source" and "target"
	// Viewport has x, y and zoom; nil where the file has none.
	Viewport Object
	// Attributes are properties of the graph as a whole. Graphy has no place for them; Write writes them.
	Attributes Object
	// Notes say in words what was changed on reading, one line for each kind of change.
	Notes []string
}

// Object is a JSON object: property name to raw JSON value. Values that Read returns are in canonical form.
type Object map[string]jsontext.Value

// Text returns the property as a string, and whether it is there and is one.
func (o Object) Text(name string) (string, bool) {
	value, ok := o[name]
	if !ok || value.Kind() != '"' {
		return "", false
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", false
	}
	return text, true
}

// ID returns the entity's id, "" where it has none.
func (o Object) ID() string {
	id, _ := o.Text("id")
	return id
}

// clone returns a copy whose properties can be set without changing o.
func (o Object) clone() Object {
	copied := make(Object, len(o)+2)
	for name, value := range o {
		copied[name] = value
	}
	return copied
}

// freeName returns name, or name with as many underscores behind it as it takes to be new in o.
func (o Object) freeName(name string) string {
	for {
		if _, taken := o[name]; !taken {
			return name
		}
		name += "_"
	}
}

// quote returns text as a JSON string. Text that is not UTF-8 has its bad bytes replaced.
func quote(text string) jsontext.Value {
	quoted, _ := jsontext.AppendQuote(nil, text) // its error only tells of replaced bytes
	return quoted
}

// parseObject returns value as an Object, or false where it is something else.
func parseObject(value jsontext.Value) (Object, bool) {
	if value.Kind() != '{' {
		return nil, false
	}
	var object Object
	if err := json.Unmarshal(value, &object); err != nil {
		return nil, false
	}
	return object, true
}

// encode returns v as JSON with properties in a fixed order. It is only given values made of valid JSON.
func encode(v any) jsontext.Value {
	encoded, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return jsontext.Value("null")
	}
	return encoded
}
