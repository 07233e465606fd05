package graphfile

import (
	"fmt"
	"strconv"
)

// draft is what a reader has found, in the shape of a Document, but with ids, ends and properties as they are in
// the file.
type draft struct {
	nodes, edges         []Object
	viewport, attributes Object
	notes                notes
	// own says that the file is Graphy's: its time stamps are the server's and are left out, not kept.
	own bool
	// ends returns the ends of an edge as references to nodes; nil: its source and target.
	ends func(edge Object) (source, target string, err error)
	// keys are the references that nodes are known by, in order; nil: their ids.
	keys []string
}

// assembly is the state of making a Document of a draft.
type assembly struct {
	*draft
	doc   *Document
	known map[string]string // reference to a node → its Graphy id
}

func (d *draft) assemble(createMissing bool) (*Document, error) {
	a := &assembly{draft: d, doc: &Document{Attributes: d.attributes}, known: make(map[string]string, len(d.nodes))}
	if err := a.nodesOf(); err != nil {
		return nil, err
	}
	if err := a.edgesOf(createMissing); err != nil {
		return nil, err
	}
	a.renameParents()
	if err := a.viewportOf(); err != nil {
		return nil, err
	}
	a.doc.Notes = d.notes.lines()
	return a.doc, nil
}

func (a *assembly) nodesOf() error {
	keys := a.keys
	if keys == nil {
		keys = nodeKeys(a.nodes)
	}
	place := make(map[string]int, len(a.nodes))
	for i, raw := range a.nodes {
		where := fmt.Sprintf("node %q", keys[i])
		id := a.graphyID(keys[i], where)
		if first, twice := place[id]; twice {
			return fmt.Errorf("nodes %d and %d of the file have the same id %q", first+1, i+1, keys[i])
		}
		place[id] = i
		a.known[keys[i]] = id
		node, err := a.entity(raw, id, keys[i], where, true)
		if err != nil {
			return err
		}
		a.doc.Nodes = append(a.doc.Nodes, node)
	}
	return nil
}

// nodeKeys returns what edges call the nodes: their ids, else their places in the file.
func nodeKeys(nodes []Object) []string {
	keys, some := make([]string, len(nodes)), false
	for i, node := range nodes {
		key, ok := reference(node["id"])
		keys[i], some = key, some || ok
	}
	for i, node := range nodes {
		if _, ok := reference(node["id"]); !ok {
			keys[i] = strconv.Itoa(i)
			if some {
				keys[i] = "node-" + keys[i]
			}
		}
	}
	return keys
}

func (a *assembly) graphyID(original, where string) string {
	if ValidID(original) {
		return original
	}
	id := mapID(original)
	a.notes.add("ids that Graphy does not allow were mapped, the originals are in data.originalId",
		fmt.Sprintf("%s is %q", where, id))
	return id
}

func (a *assembly) edgesOf(createMissing bool) error {
	ordinals := map[[2]string]int{}
	place := make(map[string]int, len(a.edges))
	for i, raw := range a.edges {
		source, target, err := a.endsOf(raw)
		if err != nil {
			return fmt.Errorf("edge %d of the file: %w", i+1, err)
		}
		key, named := reference(raw["id"])
		where := fmt.Sprintf("edge %d, from %q to %q", i+1, source, target)
		if named {
			where = fmt.Sprintf("edge %q, from %q to %q", key, source, target)
		}
		for _, end := range []string{source, target} {
			if err := a.requireNode(end, where, createMissing); err != nil {
				return err
			}
		}
		pair := [2]string{a.known[source], a.known[target]}
		id := edgeID(pair[0], pair[1], ordinals[pair])
		if ordinals[pair]++; named {
			id = a.graphyID(key, where)
		}
		if first, twice := place[id]; twice {
			return fmt.Errorf("edges %d and %d of the file have the same id %q", first+1, i+1, id)
		}
		place[id] = i
		edge, err := a.entity(raw, id, key, where, false)
		if err != nil {
			return err
		}
		edge["source"], edge["target"] = quote(pair[0]), quote(pair[1])
		a.doc.Edges = append(a.doc.Edges, edge)
	}
	return nil
}

func (a *assembly) endsOf(edge Object) (source, target string, err error) {
	if a.ends != nil {
		return a.ends(edge)
	}
	source, ok := reference(edge["source"])
	if !ok {
		return "", "", fmt.Errorf("it has no source")
	}
	if target, ok = reference(edge["target"]); !ok {
		return "", "", fmt.Errorf("it has no target")
	}
	return source, target, nil
}

// requireNode sees to it that a node is known as key.
func (a *assembly) requireNode(key, where string, create bool) error {
	if _, ok := a.known[key]; ok {
		return nil
	}
	if !create {
		return fmt.Errorf("%s: there is no node %q", where, key)
	}
	id := a.graphyID(key, fmt.Sprintf("node %q", key))
	node, err := a.entity(Object{}, id, key, fmt.Sprintf("node %q", key), true)
	if err != nil {
		return err
	}
	a.known[key] = id
	a.doc.Nodes = append(a.doc.Nodes, node)
	a.notes.add("nodes that only edges name were created", fmt.Sprintf("%q", key))
	return nil
}

// renameParents keeps compound nodes together: a parent is named by its id.
func (a *assembly) renameParents() {
	for _, node := range a.doc.Nodes {
		if key, ok := reference(node["parent"]); ok {
			if id, found := a.known[key]; found && id != key {
				node["parent"] = quote(id)
			}
		}
	}
}

// unsetViewport is what Graphy serves while a graph's viewport was never set.
const unsetViewport = `{"x":0,"y":0,"zoom":1}`

func (a *assembly) viewportOf() error {
	if a.viewport == nil {
		return nil
	}
	viewport, err := cleaner{&a.notes, "the viewport"}.object(a.viewport)
	if err != nil {
		return fmt.Errorf("the viewport: %w", err)
	}
	if zoom, ok := number(viewport["zoom"]); !ok || zoom <= 0 || !point(viewport) || len(viewport) != 3 {
		a.notes.add("the viewport is not {x,y,zoom} and was left out", string(encode(viewport)))
		return nil
	}
	if string(encode(viewport)) != unsetViewport {
		a.doc.Viewport = viewport
	}
	return nil
}
