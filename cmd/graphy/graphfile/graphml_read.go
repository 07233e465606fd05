package graphfile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// readGraphML reads one graph. Nested graphs are taken apart, their nodes naming the outer one as parent; ports
// become properties; hyperedges are refused. Document types are passed over: entities that they define are errors.
func readGraphML(content []byte) (*draft, error) {
	decoder := xml.NewDecoder(bytes.NewReader(content))
	decoder.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii") {
			return input, nil
		}
		return nil, fmt.Errorf("encoding %q: only UTF-8 is read, convert the file first", charset)
	}
	g := &graphmlReader{xml: decoder, draft: &draft{attributes: Object{}}, keys: map[string]graphmlKey{}}
	if err := g.read(); err != nil {
		return nil, err
	}
	g.applyDefaults()
	g.takeViewport(g.attributes["viewport"])
	if g.viewport != nil {
		delete(g.attributes, "viewport")
	}
	g.noteAttributes()
	return g.draft, nil
}

// graphmlReader walks the elements with a stack of its own, so that no file can exhaust the goroutine's.
type graphmlReader struct {
	*draft
	xml    *xml.Decoder
	keys   map[string]graphmlKey
	order  []string // ids of keys, as declared
	open   []frame
	graphs int
	begun  bool
}

// frame is an element that is not closed yet.
type frame struct {
	name       string
	object     Object // of a graph, node or edge; that of the nearest one above for any other
	parent     string // of a graph: the node it is in
	undirected bool   // of a graph
}

func (g *graphmlReader) read() error {
	for {
		token, err := g.xml.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			err = g.start(token)
		case xml.EndElement:
			g.open = g.open[:len(g.open)-1]
		}
		if err != nil {
			line, _ := g.xml.InputPos()
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	if g.graphs == 0 {
		return fmt.Errorf("%w: the XML has no <graph>", ErrFormat)
	}
	return nil
}

// start opens an element. data, key and what is not GraphML are read to their end at once.
func (g *graphmlReader) start(start xml.StartElement) error {
	name := start.Name.Local
	if !g.begun && name != "graphml" {
		return fmt.Errorf("%w: the XML is <%s>, not <graphml>", ErrFormat, name)
	}
	if g.begun && len(g.open) == 0 {
		return errors.New("there is more after the end of <graphml>")
	}
	g.begun = true
	if space := start.Name.Space; space != "" && space != graphmlSpace && strings.Contains(space, "yworks") {
		return g.xml.Skip()
	}
	switch name {
	case "graphml":
		g.open = append(g.open, frame{name: name, object: g.attributes})
		return nil
	case "graph":
		return g.startGraph(start)
	case "node", "edge":
		return g.startEntity(start)
	case "key":
		return g.readKey(start)
	case "data":
		return g.readData(start)
	case "desc":
		text, err := g.text(nil)
		g.set("desc", quote(text))
		return err
	case "hyperedge":
		return errors.New("a hyperedge: an edge of Graphy has two ends")
	case "port":
		g.notes.add("ports were left out", attribute(start, "name"))
	default:
		g.notes.add("elements that are not of a graph were left out", "<"+name+">")
	}
	return g.xml.Skip()
}

func (g *graphmlReader) top() frame { return g.open[len(g.open)-1] }

// set gives the element that is open a property; one of the same name keeps its own.
func (g *graphmlReader) set(name string, value jsontext.Value) {
	object := g.top().object
	object[object.freeName(name)] = value
}

func (g *graphmlReader) startGraph(start xml.StartElement) error {
	outer := g.top()
	inner := frame{name: "graph", object: g.attributes, undirected: attribute(start, "edgedefault") == "undirected"}
	switch {
	case outer.name == "node":
		inner.object, inner.parent = outer.object, outer.object.ID()
		g.notes.add("nested graphs were taken apart, their nodes name the outer one as parent", outer.object.ID())
	case outer.name != "graphml":
		return fmt.Errorf("a graph inside of <%s>", outer.name)
	case g.graphs > 0:
		return errors.New("a second graph: a file may hold one")
	default:
		g.attributes["directed"] = boolean(!inner.undirected)
		if id := attribute(start, "id"); id != "" {
			g.attributes["id"] = quote(id)
		}
	}
	g.graphs++
	g.open = append(g.open, inner)
	return nil
}

func (g *graphmlReader) startEntity(start xml.StartElement) error {
	graph := g.top()
	if graph.name != "graph" {
		return fmt.Errorf("<%s> inside of <%s>", start.Name.Local, graph.name)
	}
	object := Object{}
	for _, attr := range start.Attr {
		name := attr.Name.Local
		if attr.Name.Space == "xmlns" || name == "xmlns" || strings.HasPrefix(name, "parse.") {
			continue
		}
		object[object.freeName(name)] = quote(attr.Value)
	}
	if start.Name.Local == "node" {
		if _, ok := object["id"]; !ok {
			return errors.New("a node without id")
		}
		if graph.parent != "" {
			object[object.freeName("parent")] = quote(graph.parent)
		}
		g.nodes = append(g.nodes, object)
	} else {
		g.directed(object, graph.undirected)
		g.edges = append(g.edges, object)
	}
	g.open = append(g.open, frame{name: start.Name.Local, object: object})
	return nil
}

// directed says of an edge what it or its graph says; edges are directed unless said otherwise.
func (g *graphmlReader) directed(edge Object, undirected bool) {
	switch text, _ := edge.Text("directed"); {
	case text == "true" || text == "false":
		edge["directed"] = jsontext.Value(text)
	case undirected:
		edge["directed"] = boolean(false)
	}
	if edge["sourceport"] != nil || edge["targetport"] != nil {
		g.notes.add("ports of edges were kept as properties only", edge.ID())
	}
}

func attribute(start xml.StartElement, name string) string {
	for _, attr := range start.Attr {
		if attr.Name.Local == name {
			return attr.Value
		}
	}
	return ""
}

func boolean(b bool) jsontext.Value {
	if b {
		return jsontext.Value("true")
	}
	return jsontext.Value("false")
}
