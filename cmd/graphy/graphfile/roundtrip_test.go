package graphfile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// expectSound checks what Read promises of every Document.
func expectSound(t failer, doc *Document) {
	t.Helper()
	nodes, edges := map[string]bool{}, map[string]bool{}
	for _, node := range doc.Nodes {
		if !ValidID(node.ID()) || nodes[node.ID()] {
			t.Fatalf("node id %q is invalid or there twice", node.ID())
		}
		nodes[node.ID()] = true
		expectAllowed(t, node)
	}
	for _, edge := range doc.Edges {
		source, _ := edge.Text("source")
		target, _ := edge.Text("target")
		if !ValidID(edge.ID()) || edges[edge.ID()] || !nodes[source] || !nodes[target] {
			t.Fatalf("edge %s is not sound", encode(edge))
		}
		edges[edge.ID()] = true
		expectAllowed(t, edge)
	}
}

func expectAllowed(t failer, entity Object) {
	t.Helper()
	text := string(encode(entity))
	var parsed any
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatalf("entity %s is not JSON: %v", text, err)
	}
	for name, value := range entity {
		compact, err := canonical(value.Clone())
		if err != nil || string(compact) != string(value) || value.Kind() == 'n' || forbidden(name) {
			t.Fatalf("property %q of %s is not canonical, or null, or forbidden (%v)", name, text, err)
		}
	}
	if hasForbidden(parsed) {
		t.Fatalf("%s has a forbidden name", text)
	}
}

func hasForbidden(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if forbidden(name) || hasForbidden(member) {
				return true
			}
		}
	case []any:
		for _, item := range value {
			if hasForbidden(item) {
				return true
			}
		}
	}
	return false
}

// expectRoundTrips writes doc in every format and reads it back, its format both told and detected.
func expectRoundTrips(t failer, doc *Document) {
	t.Helper()
	want := core(doc)
	for _, format := range Formats {
		var file bytes.Buffer
		if err := Write(&file, format, doc); err != nil {
			t.Fatalf("write %s: %v", format, err)
		}
		for _, opts := range []Options{{Format: format}, {}} {
			back, err := Read(bytes.NewReader(file.Bytes()), opts)
			if err != nil {
				t.Fatalf("read back as %q: %v\n%s", opts.Format, err, file.Bytes())
			}
			if got := core(back); got != want {
				t.Fatalf("%s, read as %q\n got %s\nwant %s\nfile %s", format, opts.Format, got, want, file.Bytes())
			}
		}
	}
}

func core(doc *Document) string {
	return fmt.Sprintf("%s %s %s", encode(listed(doc.Nodes)), encode(listed(doc.Edges)), encode(doc.Viewport))
}

func TestEveryDocumentRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rawFile(t)
		doc, err := Read(strings.NewReader(raw), Options{Format: NodeLink, CreateMissing: true})
		if err != nil {
			t.Fatalf("Read(%s): %v", raw, err)
		}
		expectSound(t, doc)
		expectRoundTrips(t, doc)
	})
}

// TestWhatLooksLikeSomethingElseRoundTrips: properties that a format would take for its own stay what they are.
func TestWhatLooksLikeSomethingElseRoundTrips(t *testing.T) {
	for _, node := range []string{
		`{"id":"a","x":1,"y":2}`,
		`{"id":"a","x":1,"y":2,"position":{"x":3,"y":4}}`,
		`{"id":"a","x":"1","position":{"x":3,"y":4}}`,
		`{"id":"a","name":"n","label":"l"}`,
		`{"id":"a","cytoscape":{"position":{"x":1,"y":2}}}`,
		`{"id":"a","cytoscape":{"data":1}}`,
		`{"id":"a","cytoscape":{},"group":"edges","classes":"c"}`,
		`{"id":"a","cytoscape":{"classes":"c"},"position":{"x":1,"y":2}}`,
		`{"id":"a","source":"a","target":"a","position":{"x":1,"y":2}}`,
		`{"id":"a","title":"\u0000\uffff\ufffd \r\n\t<&\"'>"}`,
		`{"id":"a","index":4,"key":1,"desc":" d ","directed":"false","n":"7"}`,
		`{"id":"a","parent":"nobody","data":{"id":"b","title":1,"originalId":2}}`,
	} {
		doc := mustRead(t, `{"nodes":[`+node+`],"edges":[{"id":"e","source":"a","target":"a","x":1,"y":2,"directed":"false"}],"viewport":{"x":0,"y":0,"zoom":2}}`, Options{})
		value, err := canonical(jsontext.Value(node))
		if err != nil {
			t.Fatal(err)
		}
		expectJSON(t, "read", doc.Nodes[0], string(value))
		expectRoundTrips(t, doc)
	}
}

// rawFile draws a node-link file whose entities have any property there is a rule for, and others.
func rawFile(t *rapid.T) string {
	id := rapid.OneOf(rapid.StringMatching(`[a-z:.~@-]{1,5}`), rapid.String())
	ids := rapid.SliceOfNDistinct(id, 0, 5, func(id string) string { return id }).Draw(t, "ids")
	name := rapid.OneOf(rapid.SampledFrom([]string{"title", "name", "label", "x", "y", "position", "type", "data", "parent", "size",
		"createdAt", "cytoscape", "directed", "key", "desc", "__proto__", "constructor", "", "a\x00b", "\uffff", "<&\">"}), rapid.String())
	object := func() Object {
		o := Object{}
		for _, name := range rapid.SliceOfNDistinct(name, 0, 6, func(name string) string { return name }).Draw(t, "names") {
			if name != "id" && name != "source" && name != "target" {
				o[name] = value(t)
			}
		}
		return o
	}
	var nodes, edges []Object
	for _, id := range ids {
		node := object()
		node["id"] = quote(id)
		nodes = append(nodes, node)
	}
	for range rapid.IntRange(0, 4).Draw(t, "edges") {
		if len(ids) == 0 {
			break
		}
		edge := object()
		edge["source"] = quote(rapid.SampledFrom(ids).Draw(t, "source"))
		edge["target"] = quote(rapid.SampledFrom(ids).Draw(t, "target"))
		edges = append(edges, edge)
	}
	return string(encode(Object{"nodes": encode(listed(nodes)), "links": encode(listed(edges)), "elements": quote("x"),
		"viewport": jsontext.Value(rapid.SampledFrom([]string{`null`, `{"x":1,"y":2,"zoom":0.5}`, `7`, `{"zoom":-1}`}).Draw(t, "viewport"))}))
}

func value(t *rapid.T) jsontext.Value {
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return encode(rapid.Float64().Draw(t, "double"))
	case 1:
		return encode(rapid.Int64().Draw(t, "integer"))
	case 2:
		return jsontext.Value(rapid.SampledFrom([]string{"true", "false", "null", `{"x":1,"y":2}`, `{"x":1,"y":2,"z":3}`, `1e400`, `-0`}).Draw(t, "literal"))
	case 3:
		return encode(map[string]any{rapid.String().Draw(t, "member"): []any{1, rapid.String().Draw(t, "inner"), nil}, "constructor": 1})
	}
	return quote(rapid.String().Draw(t, "text"))
}

func TestMappedIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if !ValidID(mapID(a)) {
			t.Fatalf("mapID(%q) = %q, which is not valid", a, mapID(a))
		}
		if (mapID(a) == mapID(b)) != (a == b) {
			t.Fatalf("mapID(%q) = %q, mapID(%q) = %q", a, mapID(a), b, mapID(b))
		}
	})
}

func FuzzNodeLink(f *testing.F) {
	f.Add(`{"nodes":[{"id":1},{"id":"b","x":1,"y":2}],"links":[{"source":0,"target":1}]}`)
	f.Add(`{"directed":false,"nodes":[{"name":"a"}],"edges":[{"source":{"index":0},"target":0,"key":3}]}`)
	fuzz(f, NodeLink)
}

func FuzzGraphy(f *testing.F) {
	f.Add(`{"nodes":[{"id":"a","name":"x"}],"edges":[{"id":"e","source":"a","target":"a"}],"viewport":{"x":1,"y":2,"zoom":3}}`)
	fuzz(f, Graphy)
}

func FuzzCytoscape(f *testing.F) {
	f.Add(`{"elements":{"nodes":[{"data":{"id":"a"},"position":{"x":1,"y":2},"classes":"c"}],"edges":[]},"pan":{"x":1,"y":1},"zoom":1}`)
	f.Add(`[{"data":{"id":"a"}},{"group":"edges","data":{"source":"a","target":"a"}}]`)
	fuzz(f, Cytoscape)
}

func FuzzGraphML(f *testing.F) {
	f.Add(`<graphml><key id="k" for="all" attr.name="n" attr.type="double"><default>1</default></key><graph edgedefault="undirected"><node id="a"><data key="k">2</data><graph><node id="b"/></graph></node><edge source="a" target="b"/></graph></graphml>`)
	f.Add(`<graphml xmlns:graphy="urn:graphy:graphml"><key id="k" for="node" attr.name="n" graphy:name="&quot;m&quot;" graphy:type="json"/><graph><node id="a"><data key="k">{"a":1}</data></node></graph></graphml>`)
	fuzz(f, GraphML)
}

// fuzz checks that a reader refuses, or gives a sound Document that every format can hold.
func fuzz(f *testing.F, format Format) {
	f.Fuzz(func(t *testing.T, content string) {
		doc, err := Read(strings.NewReader(content), Options{Format: format, CreateMissing: true})
		if err != nil {
			return
		}
		expectSound(t, doc)
		expectRoundTrips(t, doc)
	})
}
