package graphfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mustRead(t testing.TB, content string, opts Options) *Document {
	t.Helper()
	doc, err := Read(strings.NewReader(content), opts)
	if err != nil {
		t.Fatalf("Read(%.200q): %v", content, err)
	}
	return doc
}

func expectJSON(t testing.TB, what string, got any, want string) {
	t.Helper()
	if text := string(encode(got)); text != want {
		t.Errorf("%s\n got %s\nwant %s", what, text, want)
	}
}

func TestReadShapes(t *testing.T) {
	tests := []struct {
		name, content, nodes, edges string
	}{
		{"vega: indices",
			`{"nodes":[{"name":"A","group":1,"index":0},{"name":"B","index":1}],"links":[{"source":0,"target":1,"value":2}]}`,
			`[{"group":1,"id":"0","index":0,"name":"A","title":"A"},{"id":"1","index":1,"name":"B","title":"B"}]`,
			`[{"id":"` + edgeID("0", "1", 0) + `","source":"0","target":"1","value":2}]`},
		{"d3: string ids, ends that are nodes",
			`{"nodes":[{"id":"a","x":1,"y":2.50},{"id":"b"}],"links":[{"id":"e","source":{"id":"a","x":1},"target":"b"}]}`,
			`[{"id":"a","position":{"x":1,"y":2.5}},{"id":"b"}]`,
			`[{"id":"e","source":"a","target":"b"}]`},
		{"numeric ids win over indices",
			`{"nodes":[{"id":1},{"id":0}],"links":[{"id":"e","source":0,"target":1}]}`,
			`[{"id":"1"},{"id":"0"}]`, `[{"id":"e","source":"0","target":"1"}]`},
		{"networkx 1: indices beside ids",
			`{"nodes":[{"id":"a"},{"id":"b"}],"links":[{"id":"e","source":0,"target":1}]}`,
			`[{"id":"a"},{"id":"b"}]`, `[{"id":"e","source":"a","target":"b"}]`},
		{"networkx: undirected, multigraph",
			`{"directed":false,"multigraph":true,"graph":{"k":1},"nodes":[{"id":0}],"edges":[{"source":0,"target":0,"key":0},{"source":0,"target":0,"key":1}]}`,
			`[{"id":"0"}]`,
			`[{"directed":false,"id":"` + edgeID("0", "0", 0) + `","key":0,"source":"0","target":"0"},` +
				`{"directed":false,"id":"` + edgeID("0", "0", 1) + `","key":1,"source":"0","target":"0"}]`},
		{"cytoscape: groups",
			`{"elements":{"nodes":[{"data":{"id":"a","label":"L"},"position":{"x":1,"y":2},"classes":"c"}],"edges":[{"data":{"id":"e","source":"a","target":"a"},"selected":true}]},"zoom":2,"pan":{"x":3,"y":4}}`,
			`[{"cytoscape":{"classes":"c"},"id":"a","label":"L","position":{"x":1,"y":2},"title":"L"}]`,
			`[{"cytoscape":{"selected":true},"id":"e","source":"a","target":"a"}]`},
		{"cytoscape: flat list",
			`[{"data":{"id":"a","parent":"p q"}},{"group":"nodes","data":{"id":"p q"}},{"data":{"id":"e","source":"a","target":"a"}}]`,
			`[{"id":"a","parent":"` + mapID("p q") + `"},{"data":{"originalId":"p q"},"id":"` + mapID("p q") + `"}]`,
			`[{"id":"e","source":"a","target":"a"}]`},
		{"graphml: types, defaults, direction",
			`<?xml version="1.0"?><!DOCTYPE graphml SYSTEM "file:///etc/passwd"><graphml xmlns="http://graphml.graphdrawing.org/xmlns">
			<key id="d0" for="node" attr.name="colour" attr.type="string"><default>red</default></key>
			<key id="d1" for="edge" attr.name="w" attr.type="double"/><key id="d2" for="node" attr.name="n" attr.type="int"/>
			<graph edgedefault="undirected"><node id="a"><data key="d2"> 7 </data></node><node id="b"><data key="d0">blue</data></node>
			<edge id="e" source="a" target="b" directed="true"><data key="d1">NaN</data></edge><edge id="f" source="a" target="b" sourceport="p"/></graph></graphml>`,
			`[{"colour":"red","id":"a","n":7},{"colour":"blue","id":"b"}]`,
			`[{"directed":true,"id":"e","source":"a","target":"b","w":"NaN"},{"directed":false,"id":"f","source":"a","sourceport":"p","target":"b"}]`},
		{"graphml: yEd and nested graphs",
			`<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:y="http://www.yworks.com/xml/graphml"><key for="node" id="d6" yfiles.type="nodegraphics"/>
			<graph><node id="n0"><data key="d6"><y:ShapeNode><y:Geometry x="1.0" y="2"/><y:NodeLabel>Hi<y:LabelModel/></y:NodeLabel></y:ShapeNode></data>
			<graph><node id="n0::n0"/></graph></node></graph><y:Extra/></graphml>`,
			`[{"id":"n0","label":"Hi","position":{"x":1,"y":2},"title":"Hi"},{"id":"n0::n0","parent":"n0"}]`, `null`},
		{"graphy: stamps left out, nothing guessed",
			`{"graphId":"g","version":3,"nodes":[{"id":"a","name":"N","x":1,"y":1,"createdAt":5}],"edges":[],"viewport":{"x":0,"y":0,"zoom":1}}`,
			`[{"id":"a","name":"N","x":1,"y":1}]`, `null`},
		{"what Graphy means otherwise goes into data",
			`{"nodes":[{"id":"a","title":3,"type":4,"position":[1,2],"createdAt":5,"data":"d","gone":null,"n":9007199254740993,"__proto__":{"constructor":1}}],"links":[]}`,
			`[{"__proto___":{"constructor_":1},"data":{"createdAt":5,"position":[1,2],"title":3,"type":4,"value":"d"},"id":"a","n":"9007199254740993"}]`, `null`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc := mustRead(t, test.content, Options{})
			expectJSON(t, "nodes", doc.Nodes, strings.Replace(test.nodes, "null", "[]", 1))
			expectJSON(t, "edges", doc.Edges, strings.Replace(test.edges, "null", "[]", 1))
		})
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct{ name, content, message string }{
		{"node id twice", `{"nodes":[{"id":"x"},{"id":"y"},{"id":"x"}],"links":[]}`, `nodes 1 and 3 of the file have the same id "x"`},
		{"node id twice, as number and text", `{"nodes":[{"id":1},{"id":"1"}],"links":[]}`, `nodes 1 and 2`},
		{"edge id twice", `{"nodes":[{"id":"x"}],"links":[{"id":"e","source":"x","target":"x"},{"id":"e","source":"x","target":"x"}]}`, `edges 1 and 2`},
		{"end that does not exist", `{"nodes":[{"id":"x"}],"links":[{"id":"e","source":"x","target":"y"}]}`, `edge "e", from "x" to "y": there is no node "y"`},
		{"no target", `{"nodes":[{"id":"x"}],"links":[{"source":"x"}]}`, `edge 1 of the file: it has no target`},
		{"deep", `{"nodes":[{"id":"x","d":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}]}`, `node "x": property "d": nested deeper`},
		{"large", `{"nodes":[{"id":"x","d":"` + strings.Repeat("a", maxEntityBytes) + `"}]}`, `more than the limit`},
		{"no graph", `{"a":1}`, `neither "nodes" nor "elements"`},
		{"other text", `hello`, `neither XML nor JSON`},
		{"other XML", `<svg/>`, `the XML is <svg>`},
		{"names twice", `{"nodes":[{"id":"x","a":1,"a":2}]}`, `duplicate`},
		{"hyperedge", `<graphml><graph><hyperedge/></graph></graphml>`, `hyperedge`},
		{"second graph", `<graphml><graph/><graph/></graphml>`, `second graph`},
		{"entity of a document type", `<!DOCTYPE g [<!ENTITY e "x">]><graphml><graph><desc>&e;</desc></graph></graphml>`, `entity`},
		{"after the end", `<graphml><graph/></graphml><graph/>`, `after the end`},
		{"latin 1", `<?xml version="1.0" encoding="ISO-8859-1"?><graphml/>`, `UTF-8`},
		{"cut", `<graphml><graph>`, `EOF`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(test.content), Options{}); err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("Read(%.100q) = %v, want an error with %q", test.content, err, test.message)
			}
		})
	}
}

func TestFormatErrorsAreErrFormat(t *testing.T) {
	for _, content := range []string{"", "hello", "{}", "<svg/>", "<graphml/>"} {
		if _, err := Read(strings.NewReader(content), Options{}); !errors.Is(err, ErrFormat) {
			t.Errorf("Read(%q) = %v, want ErrFormat", content, err)
		}
	}
}

func TestCreateMissing(t *testing.T) {
	content := `{"nodes":[],"links":[{"id":"e","source":"x y","target":"z"}]}`
	doc := mustRead(t, content, Options{CreateMissing: true})
	expectJSON(t, "nodes", doc.Nodes, `[{"data":{"originalId":"x y"},"id":"`+mapID("x y")+`"},{"id":"z"}]`)
	if got := doc.Edges[0].ID(); got != "e" || len(doc.Notes) != 2 {
		t.Errorf("got edge %q and notes %q, want e and two notes", got, doc.Notes)
	}
}

func TestRealGraphs(t *testing.T) {
	tests := []struct {
		file         string
		format       Format
		nodes, edges int
	}{
		{"miserables.json", NodeLink, 77, 254},
		{"miserables-networkx.json", NodeLink, 77, 254},
		{"flights.graphml", GraphML, 131, 833},
		{"flights.cyjs", Cytoscape, 35, 109},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join("../../../testdata/graphs", test.file))
			if err != nil {
				t.Fatal(err)
			}
			if format, err := Detect(content); err != nil || format != test.format {
				t.Errorf("Detect = %q, %v, want %q", format, err, test.format)
			}
			doc := mustRead(t, string(content), Options{})
			if len(doc.Nodes) != test.nodes || len(doc.Edges) != test.edges {
				t.Errorf("got %d nodes and %d edges, want %d and %d", len(doc.Nodes), len(doc.Edges), test.nodes, test.edges)
			}
			for _, node := range doc.Nodes {
				if title, _ := node.Text("title"); title == "" && test.file != "miserables-networkx.json" {
					t.Errorf("node %q has no title", node.ID())
				}
			}
			expectSound(t, doc)
			expectRoundTrips(t, doc)
			again := mustRead(t, string(content), Options{})
			expectJSON(t, "read again", again.Edges, string(encode(doc.Edges)))
		})
	}
}
