package command

import (
	"strings"
	"testing"

	"graphy/projection"
)

func TestPayloads(t *testing.T) {
	tests := []struct {
		name, commandType, payload string
		want                       write
		value                      string
	}{
		{"create node", CreateNode, `{"type":"x","position":{"y":2,"x":1.0},"title":"t","id":"n1","size":{"w":1},"any":[1,null]}`,
			write{action: create, kind: projection.Node, id: "n1"}, `{"any":[1,null],"position":{"x":1,"y":2},"size":{"w":1},"title":"t","type":"x"}`},
		{"create empty node", CreateNode, `{}`, write{action: create, kind: projection.Node}, `{}`},
		{"nulls and stamps are passed over", CreateNode, `{"id":null,"title":null,"position":null,"createdAt":1,"updatedAt":"x","data":{"a":null}}`,
			write{action: create, kind: projection.Node}, `{"data":{"a":null}}`},
		{"create edge", CreateEdge, `{"target":"b","source":"a","id":"e","label":5,"title":7}`,
			write{action: create, kind: projection.Edge, id: "e"}, `{"label":5,"source":"a","target":"b","title":7}`},
		{"update node", UpdateNode, `{"nodeId":"n","updates":{"title":null,"data":{"b":null},"id":"n","createdAt":0,"updatedAt":null,"position":{"x":0,"y":-1}}}`,
			write{action: update, kind: projection.Node, id: "n"}, `{"data":{"b":null},"position":{"x":0,"y":-1},"title":null}`},
		{"update nothing", UpdateNode, `{"nodeId":"n","updates":{}}`, write{action: update, kind: projection.Node, id: "n"}, `{}`},
		{"update edge", UpdateEdge, `{"edgeId":"e","updates":{"source":"c","position":1}}`,
			write{action: update, kind: projection.Edge, id: "e"}, `{"position":1,"source":"c"}`},
		{"position", UpdateNodePosition, `{"nodeId":"n","position":{"x":-0,"y":1e3}}`,
			write{action: update, kind: projection.Node, id: "n"}, `{"position":{"x":0,"y":1000}}`},
		{"title", UpdateNodeTitle, `{"nodeId":"n","title":"a\u0000\"ä"}`,
			write{action: update, kind: projection.Node, id: "n"}, `{"title":"a\u0000\"ä"}`},
		{"delete node", DeleteNode, `{"nodeId":"n"}`, write{action: remove, kind: projection.Node, id: "n"}, ``},
		{"delete edge", DeleteEdge, `{"edgeId":"e"}`, write{action: remove, kind: projection.Edge, id: "e"}, ``},
		{"viewport", UpdateViewport, `{"zoom":0.5,"x":-3}`, write{action: update, kind: projection.Viewport, id: "viewport"}, `{"x":-3,"zoom":0.5}`},
		{"empty viewport", UpdateViewport, `{}`, write{action: update, kind: projection.Viewport, id: "viewport"}, `{}`},
	}
	for _, test := range tests {
		c := mustParse(t, `{"type":"`+test.commandType+`","payload":`+test.payload+`}`)
		got := c.write
		got.value = nil
		if got.action != test.want.action || got.kind != test.want.kind || got.id != test.want.id || string(c.write.value) != test.value {
			t.Errorf("%s: got %+v %s, want %+v %s", test.name, got, c.write.value, test.want, test.value)
		}
	}
}

func TestBadPayloads(t *testing.T) {
	tests := []struct {
		commandType, payload string
		code                 Code
		pointer              string
	}{
		{"NO_SUCH", `{}`, UnknownCommand, "/type"},
		{"", `{}`, InvalidPayload, "/type"},
		{"create_node", `{}`, UnknownCommand, "/type"},
		{"BATCH", `{}`, UnknownCommand, "/type"},
		{Restore, `{"version":-1}`, InvalidPayload, "/payload/version"},
		{CreateNode, `null`, InvalidPayload, "/payload"},
		{CreateNode, `[]`, InvalidPayload, "/payload"},
		{CreateNode, `{"title":1}`, InvalidPayload, "/payload/title"},
		{CreateNode, `{"type":{}}`, InvalidPayload, "/payload/type"},
		{CreateNode, `{"position":1}`, InvalidPayload, "/payload/position"},
		{CreateNode, `{"position":{}}`, InvalidPayload, "/payload/position/x"},
		{CreateNode, `{"position":{"x":1}}`, InvalidPayload, "/payload/position/y"},
		{CreateNode, `{"position":{"x":"1","y":2}}`, InvalidPayload, "/payload/position/x"},
		{CreateNode, `{"position":{"x":1,"y":null}}`, InvalidPayload, "/payload/position/y"},
		{CreateEdge, `{"source":"a"}`, InvalidPayload, "/payload/target"},
		{CreateEdge, `{"source":null,"target":"a"}`, InvalidPayload, "/payload/source"},
		{UpdateNode, `{}`, InvalidPayload, "/payload/nodeId"},
		{UpdateNode, `{"nodeId":"n"}`, InvalidPayload, "/payload/updates"},
		{UpdateNode, `{"nodeId":"n","updates":null}`, InvalidPayload, "/payload/updates"},
		{UpdateNode, `{"nodeId":"n","updates":[]}`, InvalidPayload, "/payload/updates"},
		{UpdateNode, `{"nodeId":"n","updates":{},"title":"x"}`, InvalidPayload, "/payload/title"},
		{UpdateNode, `{"nodeId":"n","updates":{"id":"m"}}`, InvalidPayload, "/payload/updates/id"},
		{UpdateNode, `{"nodeId":"n","updates":{"id":null}}`, InvalidPayload, "/payload/updates/id"},
		{UpdateNode, `{"nodeId":"n","updates":{"title":false}}`, InvalidPayload, "/payload/updates/title"},
		{UpdateNode, `{"nodeId":"n","updates":{"position":{"x":1}}}`, InvalidPayload, "/payload/updates/position/y"},
		{UpdateEdge, `{"edgeId":"e","updates":{"target":null}}`, InvalidPayload, "/payload/updates/target"},
		{UpdateEdge, `{"nodeId":"e","updates":{}}`, InvalidPayload, "/payload/nodeId"},
		{UpdateNodePosition, `{"nodeId":"n"}`, InvalidPayload, "/payload/position"},
		{UpdateNodePosition, `{"nodeId":"n","position":null}`, InvalidPayload, "/payload/position"},
		{UpdateNodePosition, `{"nodeId":"n","position":{"x":1,"y":2,"z":3}}`, InvalidPayload, "/payload/position/z"},
		{UpdateNodePosition, `{"nodeId":"n","position":{"x":1}}`, InvalidPayload, "/payload/position/y"},
		{UpdateNodePosition, `{"nodeId":"n","position":{"x":1,"y":2},"a/b":1}`, InvalidPayload, "/payload/a~1b"},
		{UpdateNodeTitle, `{"nodeId":"n"}`, InvalidPayload, "/payload/title"},
		{UpdateNodeTitle, `{"nodeId":"n","title":null}`, InvalidPayload, "/payload/title"},
		{DeleteNode, `{}`, InvalidPayload, "/payload/nodeId"},
		{DeleteNode, `{"nodeId":"n","force":true}`, InvalidPayload, "/payload/force"},
		{DeleteEdge, `{}`, InvalidPayload, "/payload/edgeId"},
		{UpdateViewport, `{"x":"1"}`, InvalidPayload, "/payload/x"},
		{UpdateViewport, `{"y":null}`, InvalidPayload, "/payload/y"},
		{UpdateViewport, `{"zoom":0}`, InvalidPayload, "/payload/zoom"},
		{UpdateViewport, `{"zoom":-0.0}`, InvalidPayload, "/payload/zoom"},
		{UpdateViewport, `{"zoom":1e-400}`, InvalidPayload, "/payload/zoom"},
		{UpdateViewport, `{"zoom":-1}`, InvalidPayload, "/payload/zoom"},
		{UpdateViewport, `{"zoom":1,"id":"viewport"}`, InvalidPayload, "/payload/id"},
		{BatchUpdate, `{}`, InvalidPayload, "/payload"},
		{BatchUpdate, `{"nodes":{},"edges":[]}`, InvalidPayload, "/payload"},
		{BatchUpdate, `{"operations":[]}`, InvalidPayload, "/payload/operations"},
		{BatchUpdate, `{"operations":{}}`, InvalidPayload, "/payload/operations"},
		{BatchUpdate, `{"operations":[{}],"nodes":{}}`, InvalidPayload, "/payload/nodes"},
		{BatchUpdate, `{"operations":[1]}`, InvalidPayload, "/payload/operations/0"},
		{BatchUpdate, `{"operations":[{"type":"NO","payload":{}}]}`, UnknownCommand, "/payload/operations/0/type"},
		{BatchUpdate, `{"operations":[{"payload":{}}]}`, InvalidPayload, "/payload/operations/0/type"},
		{BatchUpdate, `{"operations":[{"type":"DELETE_NODE"}]}`, InvalidPayload, "/payload/operations/0/payload"},
		{BatchUpdate, `{"operations":[{"type":"BATCH_UPDATE","payload":{"nodes":{"n":{}}}}]}`, InvalidPayload, "/payload/operations/0/type"},
		{BatchUpdate, `{"operations":[{"type":"RESTORE","payload":{"version":1}}]}`, InvalidPayload, "/payload/operations/0/type"},
		{BatchUpdate, `{"operations":[{"type":"DELETE_NODE","payload":{"nodeId":"n"},"operationId":"x"}]}`, InvalidPayload, "/payload/operations/0/operationId"},
		{BatchUpdate, `{"nodes":[]}`, InvalidPayload, "/payload/nodes"},
		{BatchUpdate, `{"nodes":{"n":1}}`, InvalidPayload, "/payload/nodes/n"},
		{BatchUpdate, `{"nodes":{"n":{"id":"m"}}}`, InvalidPayload, "/payload/nodes/n/id"},
		{BatchUpdate, `{"nodes":{"n":{"title":1}}}`, InvalidPayload, "/payload/nodes/n/title"},
		{BatchUpdate, `{"edges":{}}`, InvalidPayload, "/payload/edges"},
		{BatchUpdate, `{"edges":[{"source":"a","target":"b"},1]}`, InvalidPayload, "/payload/edges/1"},
		{BatchUpdate, `{"edges":[{"source":"a"}]}`, InvalidPayload, "/payload/edges/0/target"},
		{BatchUpdate, `{"viewport":[]}`, InvalidPayload, "/payload/viewport"},
		{BatchUpdate, `{"viewport":{"zoom":0}}`, InvalidPayload, "/payload/viewport/zoom"},
		{BatchUpdate, `{"other":1}`, InvalidPayload, "/payload/other"},
	}
	for _, test := range tests {
		input := `{"operationId":"o1","type":"` + test.commandType + `","payload":` + test.payload + `}`
		_, err := Parse([]byte(input), someone)
		checkRefusal(t, input, err, refused{test.code, test.pointer, "o1"})

		input = `{"type":"command","data":` + input + `}`
		_, err = ParseFrame([]byte(input), someone)
		checkRefusal(t, input, err, refused{test.code, "/data" + test.pointer, "o1"})

		input = `{"type":"command","operationId":"o1","command":"` + test.commandType + `","payload":` + test.payload + `}`
		_, err = ParseFrame([]byte(input), someone)
		checkRefusal(t, input, err, refused{test.code, strings.Replace(test.pointer, "/type", "/command", btoi(test.pointer == "/type")), "o1"})
	}
}

func btoi(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func TestSizes(t *testing.T) {
	title := func(bytes int) string {
		return `{"operationId":"o1","type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n","title":"` + strings.Repeat("ä", bytes/2) + strings.Repeat("\\n", bytes%2) + `"}}`
	}
	mustParse(t, title(MaxTitle))
	_, err := Parse([]byte(title(MaxTitle+1)), someone)
	checkRefusal(t, "title", err, refused{TooLarge, "/payload/title", "o1"})

	mustParse(t, node(`"`+strings.Repeat("x", MaxEntity-11)+`"`))
	_, err = Parse([]byte(node(`"`+strings.Repeat("x", MaxEntity-10)+`"`)), someone)
	checkRefusal(t, "entity", err, refused{TooLarge, "/payload", "o1"})
	big := `"` + strings.Repeat("x", MaxEntity) + `"`
	for body, pointer := range map[string]string{
		`{"operationId":"o1","type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"a":` + big + `}}}`:               "/payload/updates",
		`{"operationId":"o1","type":"BATCH_UPDATE","payload":{"nodes":{"n":{"a":` + big + `}}}}`:                       "/payload/nodes/n",
		`{"operationId":"o1","type":"BATCH_UPDATE","payload":{"edges":[{"source":"a","target":"b","a":` + big + `}]}}`: "/payload/edges/0",
	} {
		_, err := Parse([]byte(body), someone)
		checkRefusal(t, body, err, refused{TooLarge, pointer, "o1"})
	}

	list := func(count int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", count), ",") }
	remove := `{"type":"DELETE_NODE","payload":{"nodeId":"n"}}`
	edge := `{"source":"a","target":"b"}`
	mustParse(t, `{"type":"BATCH_UPDATE","payload":{"operations":[`+list(MaxOperations, remove)+`]}}`)
	mustParse(t, `{"type":"BATCH_UPDATE","payload":{"edges":[`+list(MaxOperations, edge)+`]}}`)
	for body, pointer := range map[string]string{
		`{"operationId":"o1","type":"BATCH_UPDATE","payload":{"operations":[` + list(MaxOperations+1, remove) + `]}}`:      "/payload/operations",
		`{"operationId":"o1","type":"BATCH_UPDATE","payload":{"edges":[` + list(MaxOperations+1, edge) + `]}}`:             "/payload",
		`{"operationId":"o1","type":"BATCH_UPDATE","payload":{"viewport":{},"edges":[` + list(MaxOperations, edge) + `]}}`: "/payload",
	} {
		_, err := Parse([]byte(body), someone)
		checkRefusal(t, body, err, refused{TooLarge, pointer, "o1"})
	}
	for _, atomic := range []string{"true", "false"} {
		_, _, _, err := ParseBatch([]byte(`{"operationId":"o1","atomic":`+atomic+`,"operations":[`+list(MaxOperations+1, remove)+`]}`), someone)
		checkRefusal(t, "batch", err, refused{TooLarge, "/operations", "o1"})
		if _, _, _, err := ParseBatch([]byte(`{"atomic":`+atomic+`,"operations":[`+list(MaxOperations, remove)+`]}`), someone); err != nil {
			t.Errorf("batch of %d: got %v", MaxOperations, err)
		}
	}
}
