package graphfile

import (
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readGraphy reads Graphy's own JSON, with or without what else the API's state has.
func readGraphy(content []byte) (*draft, error) {
	var top Object
	if err := json.Unmarshal(content, &top); err != nil {
		return nil, err
	}
	d := &draft{attributes: Object{}, own: true}
	var err error
	if d.nodes, err = objects(top, "nodes"); err != nil {
		return nil, err
	}
	if d.edges, err = objects(top, "edges"); err != nil {
		return nil, err
	}
	for name, value := range top {
		switch name {
		case "nodes", "edges", "viewport", "graphId", "version", "hash", "checksum", "lastModified":
		default:
			d.attributes[name] = value
		}
	}
	for _, node := range d.nodes { // the shape is Graphy's already: no x, y or name stands for anything
		for _, name := range []string{"title", "position"} {
			if _, ok := node[name]; !ok {
				node[name] = jsontext.Value("null")
			}
		}
	}
	d.takeViewport(top["viewport"])
	d.noteAttributes()
	return d, nil
}

func writeGraphy(doc *Document) []byte {
	top := topLevel(doc, "nodes", "edges", "viewport")
	top["nodes"], top["edges"] = encode(listed(doc.Nodes)), encode(listed(doc.Edges))
	top["viewport"] = jsontext.Value(unsetViewport)
	if doc.Viewport != nil {
		top["viewport"] = encode(doc.Viewport)
	}
	return indent(top)
}

// topLevel returns the document's attributes as the members of a file; those of a reserved name get another one.
func topLevel(doc *Document, reserved ...string) Object {
	top := Object{}
	for _, name := range names(doc.Attributes) {
		free := name
		for slices.Contains(reserved, free) || doc.Attributes[free] != nil && free != name {
			free += "_"
		}
		top[free] = doc.Attributes[name]
	}
	return top
}

// listed is an empty list, not null, where there are no objects.
func listed(objects []Object) []Object {
	if objects == nil {
		return []Object{}
	}
	return objects
}

func names(o Object) []string { return slices.Sorted(maps.Keys(o)) }

// indent lays a file out for people: the members of the top level on their own lines, each entity on one.
func indent(top Object) []byte {
	out := []byte("{")
	for i, name := range names(top) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, "\n  "...), quote(name)...), ": "...)
		out = appendLines(out, top[name])
	}
	return append(out, "\n}"...)
}

func appendLines(out []byte, value jsontext.Value) []byte {
	var items []jsontext.Value
	if value.Kind() != '[' || json.Unmarshal(value, &items) != nil || len(items) == 0 {
		return append(out, value...)
	}
	for i, item := range items {
		separator := ",\n    "
		if i == 0 {
			separator = "[\n    "
		}
		out = append(append(out, separator...), item...)
	}
	return append(out, "\n  ]"...)
}
