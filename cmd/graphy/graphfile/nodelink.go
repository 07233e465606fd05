package graphfile

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readNodeLink reads {"nodes":[…],"links":[…]}, or "edges" in the place of "links". An end of a link is the id of a
// node, its index in the list, or the node itself, as d3 leaves it there.
func readNodeLink(content []byte) (*draft, error) {
	var top Object
	if err := json.Unmarshal(content, &top); err != nil {
		return nil, err
	}
	links := "links"
	if top[links] == nil {
		links = "edges"
	}
	d := &draft{attributes: Object{}}
	var err error
	if d.nodes, err = objects(top, "nodes"); err != nil {
		return nil, err
	}
	if d.edges, err = objects(top, links); err != nil {
		return nil, err
	}
	for name, value := range top {
		if name != "nodes" && name != links && name != "viewport" {
			d.attributes[name] = value
		}
	}
	d.takeViewport(top["viewport"])
	d.keys = nodeKeys(d.nodes)
	d.ends = nodeLinkEnds(d)
	d.directEdges()
	d.noteAttributes()
	return d, nil
}

// objects returns the list of objects that is top's property name; absent is empty.
func objects(top Object, name string) ([]Object, error) {
	value := top[name]
	if kind := value.Kind(); kind == 0 || kind == 'n' {
		return nil, nil
	}
	var items []jsontext.Value
	if err := json.Unmarshal(value, &items); err != nil {
		return nil, fmt.Errorf("%q is not a list", name)
	}
	list := make([]Object, len(items))
	for i, item := range items {
		object, ok := parseObject(item)
		if !ok {
			return nil, fmt.Errorf("%s: entry %d is not an object", name, i+1)
		}
		list[i] = object
	}
	return list, nil
}

// takeViewport keeps a viewport of Graphy's, and anything else of that name as an attribute.
func (d *draft) takeViewport(value jsontext.Value) {
	if object, ok := parseObject(value); ok {
		d.viewport = object
	} else if kind := value.Kind(); kind != 0 && kind != 'n' {
		d.attributes["viewport"] = value
	}
}

// nodeLinkEnds tells ids from indices, once for the whole file: numbers are indices only where they are not all
// known as ids.
func nodeLinkEnds(d *draft) func(Object) (string, string, error) {
	known := make(map[string]bool, len(d.keys))
	for _, key := range d.keys {
		known[key] = true
	}
	ids, indices := true, true
	for _, edge := range d.edges {
		for _, end := range []string{"source", "target"} {
			value := endValue(edge[end])
			if value.Kind() != '0' {
				continue
			}
			key, _ := reference(value)
			ids = ids && known[key]
			index, err := strconv.Atoi(key)
			indices = indices && err == nil && index >= 0 && index < len(d.keys)
		}
	}
	byIndex := !ids && indices
	resolve := func(edge Object, name string) (string, error) {
		value := endValue(edge[name])
		if byIndex && value.Kind() == '0' {
			key, _ := reference(value)
			index, _ := strconv.Atoi(key) // seen above to be one
			return d.keys[index], nil
		}
		key, ok := reference(value)
		if !ok {
			return "", fmt.Errorf("it has no %s", name)
		}
		return key, nil
	}
	return func(edge Object) (string, string, error) {
		source, err := resolve(edge, "source")
		if err != nil {
			return "", "", err
		}
		target, err := resolve(edge, "target")
		return source, target, err
	}
}

// endValue returns what an end of a link is named by; where d3 has put the node itself, that is its id or index.
func endValue(end jsontext.Value) jsontext.Value {
	node, ok := parseObject(end)
	if !ok {
		return end
	}
	if _, ok := reference(node["id"]); ok {
		return node["id"]
	}
	return node["index"]
}

// directEdges says on each edge of an undirected graph what the file says of them all.
func (d *draft) directEdges() {
	if string(d.attributes["directed"]) != "false" {
		return
	}
	for _, edge := range d.edges {
		if _, ok := edge["directed"]; !ok {
			edge["directed"] = jsontext.Value("false")
		}
	}
}

// noteAttributes says what of the file is not in nodes and edges.
func (d *draft) noteAttributes() {
	if len(d.attributes) > 0 {
		d.notes.add("properties of the graph as a whole have no place in Graphy", string(encode(names(d.attributes))))
	}
}

// writeNodeLink writes what readNodeLink reads, with ids for ends and x and y for position.
func writeNodeLink(doc *Document) []byte {
	top := topLevel(doc, "nodes", "links", "edges", "viewport")
	nodes := make([]Object, len(doc.Nodes))
	for i, node := range doc.Nodes {
		nodes[i] = flatPosition(guarded(node))
	}
	top["nodes"], top["links"] = encode(nodes), encode(listed(doc.Edges))
	if doc.Viewport != nil {
		top["viewport"] = encode(doc.Viewport)
	}
	return indent(top)
}

// flatPosition puts x and y in the place of position, where nothing is in the way.
func flatPosition(node Object) Object {
	position, ok := parseObject(node["position"])
	if !ok || len(position) != 2 || !point(position) || node["x"] != nil || node["y"] != nil {
		return node
	}
	delete(node, "position")
	node["x"], node["y"] = position["x"], position["y"]
	return node
}
