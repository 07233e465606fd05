package commandtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestLoadRefuses(t *testing.T) {
	const step = `{"do":"UPDATE_VIEWPORT","payload":{}}`
	tests := []struct{ name, text, want string }{
		{"no JSON", `[`, "EOF"},
		{"an unknown member", `[{"title":"t","shows":["s"],"wen":[]}]`, "unknown"},
		{"no title", `[{"shows":["s"],"when":[` + step + `]}]`, "no title"},
		{"shows nothing", `[{"title":"t","when":[` + step + `]}]`, "shows"},
		{"no when", `[{"title":"t","shows":["s"]}]`, "no when"},
		{"two of one title", `[{"title":"t","shows":["s"],"when":[` + step + `]},{"title":"t","shows":["s"],"when":[` + step + `]}]`, "two cases"},
		{"a history that is refused", `[{"title":"t","shows":["s"],"given":[{"do":"undo","refused":"x"}],"when":[` + step + `]}]`, "no outcome"},
		{"nothing to do", `[{"title":"t","shows":["s"],"when":[{"payload":{}}]}]`, "what to do"},
		{"a member that such a request lacks", `[{"title":"t","shows":["s"],"when":[{"do":"undo","payload":{}}]}]`, `"payload"`},
		{"a typing error in a body", `[{"title":"t","shows":["s"],"when":[{"do":"DELETE_NODE","paylod":{}}]}]`, `"paylod"`},
		{"nobody", `[{"title":"t","shows":["s"],"when":[{"by":"ann","do":"undo"}]}]`, "user/client"},
		{"a message to nobody", `[{"title":"t","shows":["s"],"when":[{"do":"undo","then":{"messages":{"ann":[]}}}]}]`, "user/client"},
		{"refused, and an event", `[{"title":"t","shows":["s"],"when":[{"do":"undo","refused":"x","then":{"event":{}}}]}]`, "refused"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "cases.json"), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q in it", test.name, err, test.want)
		}
	}
	if _, err := load(t.TempDir()); err == nil {
		t.Error("an empty folder: no error")
	}
}

func TestRequest(t *testing.T) {
	known := symbols{events: []stamp{{Timestamp: 1000, Hash: "bb"}}}
	tests := []struct {
		name string
		step Step
		n    int
		want string
	}{
		{"the type", Step{Do: "DELETE_NODE", Body: body("payload", `{"nodeId":"n1"}`)}, 1, `{"payload":{"nodeId":"n1"},"type":"DELETE_NODE"}`},
		{"numbers as they stand", Step{Do: "X", Body: body("payload", `{"n":9007199254740993}`)}, 1, `{"payload":{"n":9007199254740993},"type":"X"}`},
		{"symbols", Step{Do: "X", Body: body("timestamp", `"@1-1"`, "hash", `"~1"`)}, 1, `{"hash":"bb","timestamp":999,"type":"X"}`},
		{"a number for a time", Step{Do: "X", Body: body("timestamp", `7`)}, 1, `{"timestamp":7,"type":"X"}`},
		{"no symbols in values", Step{Do: "X", Body: body("payload", `{"a":"@1"}`)}, 1, `{"payload":{"a":"@1"},"type":"X"}`},
		{"many", Step{Do: "X", Body: body("payload", `{"a":"x×3 y"}`)}, 1, `{"payload":{"a":"xxx y"},"type":"X"}`},
		{"the third time", Step{Do: "X", Times: 5, Body: body("payload", `{"a":"t$i"}`)}, 3, `{"payload":{"a":"t3"},"type":"X"}`},
		{"a batch", Step{Do: "batch", Repeat: 2, Body: body("operations", `[{"a":1},{"b":2}]`)}, 1, `{"operations":[{"a":1},{"b":2},{"a":1},{"b":2}]}`},
		{"a resolution", Step{Do: "resolve", Body: body("conflictId", `"3-0"`, "choice", `"client"`)}, 1, `{"choice":"client"}`},
		{"an undo", Step{Do: "undo"}, 1, `{}`},
		{"a policy", Step{Do: "policy", Body: body("policy", `{"/a":"MERGE"}`)}, 1, `{"/a":"MERGE"}`},
	}
	for _, test := range tests {
		if got, err := test.step.request(test.n, &known); err != nil || string(got.Body) != test.want || got.By.String() != "ann/a1" {
			t.Errorf("%s: got %s by %s, %v, want %s", test.name, got.Body, got.By, err, test.want)
		}
	}
	unknown := Step{Do: "X", Body: body("timestamp", `"@2"`)}
	if got, err := unknown.request(1, &known); err == nil {
		t.Errorf("the time of an event that is not there: got %s", got.Body)
	}
}

func body(pairs ...string) map[string]jsontext.Value {
	members := map[string]jsontext.Value{}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = jsontext.Value(pairs[i+1])
	}
	return members
}
