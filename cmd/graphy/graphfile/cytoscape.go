package graphfile

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// elementFields is the property in which what Cytoscape keeps beside an element's data (classes, selected, locked
// and so on) is kept, and from which it is written back.
const elementFields = "cytoscape"

// readCytoscape reads {"elements":{"nodes":[…],"edges":[…]}}, elements as one flat list, and either alone. An
// element's data become its properties.
func readCytoscape(content []byte) (*draft, error) {
	d := &draft{attributes: Object{}}
	elements := jsontext.Value(content)
	if elements.Kind() == '{' {
		var top Object
		if err := json.Unmarshal(content, &top); err != nil {
			return nil, err
		}
		if top["elements"] != nil {
			elements = top["elements"]
			delete(top, "elements")
			d.viewport = panAndZoom(top)
			d.attributes = top
		}
	}
	if err := d.addElements(elements); err != nil {
		return nil, err
	}
	d.noteAttributes()
	return d, nil
}

// panAndZoom takes the viewport out of top, if it has one.
func panAndZoom(top Object) Object {
	pan, ok := parseObject(top["pan"])
	zoom, positive := number(top["zoom"])
	if !ok || !point(pan) || len(pan) != 2 || !positive || zoom <= 0 {
		return nil
	}
	viewport := Object{"x": pan["x"], "y": pan["y"], "zoom": top["zoom"]}
	delete(top, "pan")
	delete(top, "zoom")
	return viewport
}

func (d *draft) addElements(elements jsontext.Value) error {
	switch elements.Kind() {
	case '[':
		list, err := objects(Object{"elements": elements}, "elements")
		if err != nil {
			return err
		}
		for i, element := range list {
			if err := d.addElement(element, ""); err != nil {
				return fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		return nil
	case '{':
		groups, ok := parseObject(elements)
		if !ok {
			return errors.New("elements is not valid JSON")
		}
		for _, group := range []string{"nodes", "edges"} {
			list, err := objects(groups, group)
			if err != nil {
				return err
			}
			for i, element := range list {
				if err := d.addElement(element, group); err != nil {
					return fmt.Errorf("%s: entry %d: %w", group, i+1, err)
				}
			}
		}
		return nil
	}
	return errors.New("elements is neither an object nor a list")
}

// addElement adds an element to group, or where that is "" to the group it says or shows that it is in.
func (d *draft) addElement(element Object, group string) error {
	entity, ok := parseObject(element["data"])
	if !ok {
		return errors.New("it has no data")
	}
	if group == "" {
		group, _ = element.Text("group")
	}
	if group == "" && entity["source"] != nil && entity["target"] != nil {
		group = "edges"
	}
	beside := element.clone()
	delete(beside, "data")
	delete(beside, "group")
	if group == "edges" {
		d.edges = append(d.edges, keepBeside(entity, beside))
		return nil
	}
	if position, ok := beside["position"]; ok && entity["position"] == nil {
		entity["position"] = position
		delete(beside, "position")
	}
	d.nodes = append(d.nodes, keepBeside(entity, beside))
	return nil
}

func keepBeside(entity, beside Object) Object {
	if len(beside) > 0 {
		entity[entity.freeName(elementFields)] = encode(beside)
	}
	return entity
}

// looksLikeElements tells Cytoscape's nodes from those of a node-link file: their ids are in their data.
func looksLikeElements(nodes jsontext.Value) bool {
	list, err := objects(Object{"nodes": nodes}, "nodes")
	if err != nil || len(list) == 0 || list[0]["id"] != nil {
		return false
	}
	data, ok := parseObject(list[0]["data"])
	return ok && data["id"] != nil
}

func writeCytoscape(doc *Document) []byte {
	top := topLevel(doc, "elements", "nodes", "pan", "zoom")
	nodes, edges := make([]Object, len(doc.Nodes)), make([]Object, len(doc.Edges))
	for i, node := range doc.Nodes {
		nodes[i] = element(guarded(node))
	}
	for i, edge := range doc.Edges {
		edges[i] = element(edge.clone())
	}
	top["elements"] = append(append(append(append([]byte(`{"nodes":`), list(nodes)...), `,"edges":`...), list(edges)...), '}')
	if doc.Viewport != nil {
		top["pan"] = positionOf(doc.Viewport)
		top["zoom"] = doc.Viewport["zoom"]
	}
	return indent(top)
}

func list(elements []Object) []byte { return appendLines(nil, encode(elements)) }

// element takes an entity apart into Cytoscape's fields and its data.
func element(entity Object) Object {
	element := Object{}
	beside, ok := parseObject(entity[elementFields])
	if ok && len(beside) > 0 && beside["data"] == nil && beside["group"] == nil && beside["position"] == nil {
		element = beside
		delete(entity, elementFields)
	}
	if position, ok := parseObject(entity["position"]); ok && entity["source"] == nil && len(position) == 2 && point(position) {
		element["position"] = entity["position"]
		delete(entity, "position")
	}
	element["data"] = encode(entity)
	return element
}
