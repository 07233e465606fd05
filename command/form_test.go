package command

import (
	"errors"
	"strings"
	"testing"
)

// someone sends the commands of tests that do not care who does.
var someone = Identity{UserID: "u1", ClientID: "tab-1"}

// refused is what a refusal must say.
type refused struct {
	code    Code
	pointer string // "-": none
	id      string // the operation it names
}

func checkRefusal(t *testing.T, input string, err error, want refused) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) || refusal == nil {
		t.Errorf("%.200s: got %v, want the refusal %q", input, err, want.code)
		return
	}
	pointer := "-"
	if len(refusal.Fields) == 1 {
		pointer = refusal.Fields[0].Pointer
	}
	if got := (refused{refusal.Code, pointer, refusal.OperationID}); got != want {
		t.Errorf("%.200s: got %+v (%s), want %+v", input, got, refusal.Detail, want)
	}
	if len(refusal.Detail) == 0 || len(refusal.Detail) > 300 {
		t.Errorf("%.200s: the detail is %q", input, refusal.Detail)
	}
}

func mustParse(t testing.TB, body string) *Command {
	t.Helper()
	c, err := Parse([]byte(body), someone)
	if err != nil {
		t.Fatalf("parse %.300s: %v", body, err)
	}
	return c
}

// node is a CREATE_NODE of one property called data.
func node(data string) string {
	return `{"operationId":"o1","type":"CREATE_NODE","payload":{"id":"n1","data":` + data + `}}`
}

// nested returns n levels of nesting.
func nested(n int) string { return strings.Repeat(`{"a":`, n-1) + "[]" + strings.Repeat("}", n-1) }

func TestMalformedBodies(t *testing.T) {
	for _, body := range []string{
		``, ` `, `{`, `nonsense`, `{"type":"CREATE_NODE"`, `{} {}`, `{}x`, `{"type":'x'}`,
		node(`{"a":1,"a":2}`), node(`{"a":1,"\u0061":2}`), `{"type":"A","type":"A"}`,
		node(`"\ud800"`), node(`"\udc00\ud800"`), node(`{"\ud800":1}`), node("\"\xff\""), node(`"` + "\x01" + `"`),
		node(`01`), node(`+1`), node(`1.`), node(`.5`), node(`NaN`), node(`Infinity`), node(`[1,]`), node(`0x10`),
		node(`1e999`) + `}`, "\ufeff" + node(`1`),
	} {
		_, err := Parse([]byte(body), someone)
		checkRefusal(t, body, err, refused{MalformedJSON, "-", ""})
		_, err = ParseFrame([]byte(body), someone)
		checkRefusal(t, body, err, refused{MalformedJSON, "-", ""})
		_, _, _, err = ParseBatch([]byte(body), someone)
		checkRefusal(t, body, err, refused{MalformedJSON, "-", ""})
	}
	for _, body := range []string{`null`, `true`, `1`, `"x"`, `[]`} {
		_, err := Parse([]byte(body), someone)
		checkRefusal(t, body, err, refused{InvalidPayload, "", ""})
	}
}

func TestNumbers(t *testing.T) {
	for written, kept := range map[string]string{
		`0`: `0`, `-0`: `0`, `-0.0`: `0`, `1.0`: `1`, `1e2`: `100`, `9007199254740992`: `9007199254740992`,
		`9007199254740993.0`: `9007199254740992`, `-9007199254740991`: `-9007199254740991`,
		`9007199254740994`: `9007199254740994`, `0.1000000000000000055511151231257827`: `0.1`, `1e-400`: `0`,
		`0.30000000000000004`: `0.30000000000000004`, `1e21`: `1e+21`, `1000000000000000000000`: `1e+21`,
		`1.7976931348623157e308`: `1.7976931348623157e+308`, `123456789.123456789123456789`: `123456789.12345679`,
		`"9007199254740993"`: `"9007199254740993"`, `"1e999"`: `"1e999"`,
	} {
		c := mustParse(t, node(written))
		if want := `{"data":` + kept + `}`; string(c.write.value) != want {
			t.Errorf("%s: got %s, want %s", written, c.write.value, want)
		}
	}
	for _, number := range []string{
		`9007199254740993`, `-9007199254740993`, `12345678901234567`, `1000000000000000000001`, `1e999`, `-1e999`, `1e309`,
		`1` + strings.Repeat("0", 400), `1` + strings.Repeat("0", 400) + `.5`,
	} {
		_, err := Parse([]byte(node(`[0,{"b":`+number+`}]`)), someone)
		checkRefusal(t, number, err, refused{InvalidPayload, "/payload/data/1/b", "o1"})
	}
}

func TestDepth(t *testing.T) {
	mustParse(t, node(nested(MaxDepth-1)))
	mustParse(t, node(`"`+strings.Repeat(`[{`, 100)+`"`))
	mustParse(t, `{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"data":`+nested(MaxDepth-1)+`}}}`)

	path := "/payload/data" + strings.Repeat("/a", MaxDepth-1)
	_, err := Parse([]byte(node(nested(MaxDepth))), someone)
	checkRefusal(t, "33 levels", err, refused{InvalidPayload, path, "o1"})
	_, err = Parse([]byte(node(strings.Repeat("[", 9000)+strings.Repeat("]", 9000))), someone)
	checkRefusal(t, "9,000 levels", err, refused{InvalidPayload, "/payload/data" + strings.Repeat("/0", MaxDepth-1), "o1"})
	_, err = Parse([]byte(`{"operationId":"o1","type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"data":`+nested(MaxDepth)+`}}}`), someone)
	checkRefusal(t, "33 levels in updates", err, refused{InvalidPayload, "/payload/updates/data" + strings.Repeat("/a", MaxDepth-1), "o1"})
	_, err = Parse([]byte(node(strings.Repeat("[", 200_000)+strings.Repeat("]", 200_000))), someone)
	checkRefusal(t, "200,000 levels", err, refused{InvalidPayload, "", ""})
}

func TestForbiddenNames(t *testing.T) {
	for _, name := range []string{"__proto__", "constructor", "prototype", `\u005f_proto__`, `\u0063onstructor`} {
		plain := strings.NewReplacer(`\u005f`, "_", `\u0063`, "c").Replace(name)
		for body, pointer := range map[string]string{
			node(`{"` + name + `":1}`):                                                                                              "/payload/data/" + plain,
			node(`[{"a~/b":[0,{"` + name + `":null}]}]`):                                                                            "/payload/data/0/a~0~1b/1/" + plain,
			`{"operationId":"o1","type":"CREATE_NODE","payload":{"` + name + `":1}}`:                                                "/payload/" + plain,
			`{"operationId":"o1","type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"a":{"` + name + `":1}}}}`:                 "/payload/updates/a/" + plain,
			`{"operationId":"o1","type":"UPDATE_EDGE","payload":{"edgeId":"n","updates":{"` + name + `":1}}}`:                       "/payload/updates/" + plain,
			`{"operationId":"o1","type":"CREATE_EDGE","payload":{"source":"n","target":"n","a":{"` + name + `":1}}}`:                "/payload/a/" + plain,
			`{"operationId":"o1","type":"BATCH_UPDATE","payload":{"nodes":{"n":{"a":{"` + name + `":1}}}}}`:                         "/payload/nodes/n/a/" + plain,
			`{"operationId":"o1","type":"BATCH_UPDATE","payload":{"edges":[{"source":"a","target":"b","` + name + `":1}]}}`:         "/payload/edges/0/" + plain,
			`{"operationId":"o1","type":"UPDATE_VIEWPORT","payload":{"` + name + `":1}}`:                                            "/payload/" + plain,
			`{"operationId":"o1","type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n","position":{"x":1,"y":1,"` + name + `":1}}}`: "/payload/position/" + plain,
		} {
			_, err := Parse([]byte(body), someone)
			checkRefusal(t, body, err, refused{InvalidPayload, pointer, "o1"})
		}
		mustParse(t, node(`"`+name+`"`))
		mustParse(t, node(`{"`+name+` ":"{\"`+name+`\":1}"}`))
	}
}

func TestIDs(t *testing.T) {
	long := strings.Repeat("x", 128)
	for _, id := range []string{"a", long, "A-Z.a~z_0:9@-", "...a", "-", "proto", "__proto"} {
		if err := CheckID(id, "/id"); err != nil {
			t.Errorf("%q: got %v", id, err)
		}
	}
	for _, id := range []string{"", long + "x", ".", "..", strings.Repeat(".", 128), "a b", "a/b", "ä", "a\n", "{a}", "a*", "\x00",
		"__proto__", "constructor", "prototype"} {
		checkRefusal(t, id, CheckID(id, "/id"), refused{InvalidID, "/id", ""})
		checkRefusal(t, id, CheckID(id, ""), refused{InvalidID, "-", ""})
	}
	for _, bad := range []string{`""`, `".."`, `"a b"`, `"constructor"`, `1`, `null`, `{}`, `["a"]`, `true`, `"` + long + `x"`} {
		for body, want := range map[string]refused{
			`{"operationId":` + bad + `,"type":"DELETE_NODE","payload":{"nodeId":"n"}}`:                  {InvalidID, "/operationId", ""},
			`{"operationId":"o","clientId":` + bad + `,"type":"DELETE_NODE","payload":{"nodeId":"n"}}`:   {InvalidID, "/clientId", "o"},
			`{"operationId":"o","gestureId":` + bad + `,"type":"DELETE_NODE","payload":{"nodeId":"n"}}`:  {InvalidID, "/gestureId", "o"},
			`{"operationId":"o","type":"DELETE_NODE","payload":{"nodeId":` + bad + `}}`:                  {InvalidID, "/payload/nodeId", "o"},
			`{"operationId":"o","type":"DELETE_EDGE","payload":{"edgeId":` + bad + `}}`:                  {InvalidID, "/payload/edgeId", "o"},
			`{"operationId":"o","type":"UPDATE_NODE","payload":{"updates":{},"nodeId":` + bad + `}}`:     {InvalidID, "/payload/nodeId", "o"},
			`{"operationId":"o","type":"UPDATE_EDGE","payload":{"updates":{},"edgeId":` + bad + `}}`:     {InvalidID, "/payload/edgeId", "o"},
			`{"operationId":"o","type":"UPDATE_NODE_TITLE","payload":{"title":"","nodeId":` + bad + `}}`: {InvalidID, "/payload/nodeId", "o"},
			`{"operationId":"o","type":"UPDATE_EDGE","payload":{"edgeId":"e","updates":{"source":[]}}}`:  {InvalidID, "/payload/updates/source", "o"},
			`{"operationId":"o","type":"BATCH_UPDATE","payload":{"nodes":{"a b":{}}}}`:                   {InvalidID, "/payload/nodes/a b", "o"},
			`{"operationId":"o","type":"BATCH_UPDATE","payload":{"edges":[{"id":7,"source":1}]}}`:        {InvalidID, "/payload/edges/0/id", "o"},
			`{"operationId":"o","type":"BATCH_UPDATE","payload":{"nodes":{"__proto__":{}}}}`:             {InvalidID, "/payload/nodes/__proto__", "o"},
		} {
			_, err := Parse([]byte(body), someone)
			checkRefusal(t, body, err, want)
		}
		if bad == `null` { // a null property of an entity is absent
			continue
		}
		for body, want := range map[string]refused{
			`{"operationId":"o","type":"CREATE_NODE","payload":{"id":` + bad + `}}`:                             {InvalidID, "/payload/id", "o"},
			`{"operationId":"o","type":"CREATE_EDGE","payload":{"source":` + bad + `,"target":"b"}}`:            {InvalidID, "/payload/source", "o"},
			`{"operationId":"o","type":"CREATE_EDGE","payload":{"source":"a","target":` + bad + `,"title":{}}}`: {InvalidID, "/payload/target", "o"},
		} {
			_, err := Parse([]byte(body), someone)
			checkRefusal(t, body, err, want)
		}
	}
}
