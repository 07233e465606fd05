package graphfile

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// writeGraphML writes every property as data: strings, numbers and booleans by their type, and anything else as
// JSON under a key that says so in Graphy's namespace.
func writeGraphML(doc *Document) ([]byte, error) {
	nodes := make([]Object, len(doc.Nodes))
	for i, node := range doc.Nodes {
		nodes[i] = flatPosition(guarded(node))
		delete(nodes[i], "id")
	}
	edges, undirected := make([]Object, len(doc.Edges)), len(doc.Edges) > 0
	for i, edge := range doc.Edges {
		edges[i] = edge.clone()
		for _, name := range []string{"id", "source", "target"} {
			delete(edges[i], name)
		}
		undirected = undirected && string(edge["directed"]) == "false"
	}
	graph := topLevel(doc, "viewport", "directed")
	if _, ok := doc.Attributes["directed"]; ok {
		delete(graph, "directed_") // the element says it
	}
	if doc.Viewport != nil {
		graph["viewport"] = encode(doc.Viewport)
	}

	w := &graphmlWriter{}
	w.WriteString(xml.Header + `<graphml xmlns="` + graphmlSpace + `" xmlns:graphy="` + graphySpace + `">` + "\n")
	nodeKeys, edgeKeys, graphKeys := w.declare("node", nodes), w.declare("edge", edges), w.declare("graph", []Object{graph})
	fmt.Fprintf(w, "  <graph edgedefault=%q>\n", map[bool]string{true: "undirected", false: "directed"}[undirected])
	w.data(graph, graphKeys)
	for i, node := range doc.Nodes {
		w.entity("node", "", nodes[i], nodeKeys, "id", node)
	}
	for i, edge := range doc.Edges {
		kind := string(edge["directed"])
		if kind == "true" || kind == "false" {
			delete(edges[i], "directed")
			kind = ` directed="` + kind + `"`
		} else {
			kind = ""
		}
		w.entity("edge", kind, edges[i], edgeKeys, "id source target", edge)
	}
	w.WriteString("  </graph>\n</graphml>")
	return w.Bytes(), w.err
}

// graphmlWriter gathers the file and the first error.
type graphmlWriter struct {
	bytes.Buffer
	keys int
	err  error
}

// declare writes a key for each property of the objects and returns the keys by name.
func (w *graphmlWriter) declare(domain string, objects []Object) map[string]graphmlKey {
	kinds := Object{} // a set: only the names matter
	types := map[string]string{}
	for _, object := range objects {
		for name, value := range object {
			kinds[name] = nil
			kind := graphmlType(value)
			if before, ok := types[name]; ok && before != kind {
				kind = "json"
			}
			types[name] = kind
		}
	}
	keys := make(map[string]graphmlKey, len(kinds))
	for _, name := range names(kinds) {
		key := graphmlKey{id: fmt.Sprintf("d%d", w.keys), domain: domain, name: name, kind: types[name]}
		w.keys++
		keys[name] = key
		w.WriteString(`  <key id="` + key.id + `" for="` + domain + `" attr.name="`)
		w.escape(name)
		if key.kind == "json" {
			w.WriteString(`" attr.type="string" graphy:type="json"`)
		} else {
			w.WriteString(`" attr.type="` + key.kind + `"`)
		}
		if !inXML(name) {
			w.WriteString(` graphy:name="`)
			w.escape(jsonInXML(quote(name)))
			w.WriteString(`"`)
		}
		w.WriteString("/>\n")
	}
	return keys
}

func graphmlType(value jsontext.Value) string {
	switch value.Kind() {
	case 't', 'f':
		return "boolean"
	case '0':
		return "double"
	case '"':
		if text, ok := reference(value); ok && inXML(text) {
			return "string"
		}
	}
	return "json"
}

// entity writes a node or edge with its data; its attributes are the properties of all that are named.
func (w *graphmlWriter) entity(name, extra string, data Object, keys map[string]graphmlKey, attributes string, all Object) {
	w.WriteString("    <" + name)
	for _, attribute := range bytes.Fields([]byte(attributes)) {
		text, _ := all.Text(string(attribute))
		if !inXML(text) {
			w.fail(fmt.Errorf("write as graphml: %s %q: XML cannot hold its %s", name, all.ID(), attribute))
		}
		w.WriteString(" " + string(attribute) + `="`)
		w.escape(text)
		w.WriteString(`"`)
	}
	w.WriteString(extra)
	if len(data) == 0 {
		w.WriteString("/>\n")
		return
	}
	w.WriteString(">\n")
	w.data(data, keys)
	w.WriteString("    </" + name + ">\n")
}

func (w *graphmlWriter) data(data Object, keys map[string]graphmlKey) {
	for _, name := range names(data) {
		key, value := keys[name], data[name]
		text := string(value)
		switch key.kind {
		case "json":
			text = jsonInXML(value)
		case "string":
			text, _ = reference(value)
		}
		w.WriteString(`      <data key="` + key.id + `">`)
		w.escape(text)
		w.WriteString("</data>\n")
	}
}

func (w *graphmlWriter) escape(text string) { w.fail(xml.EscapeText(w, []byte(text))) }

func (w *graphmlWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
