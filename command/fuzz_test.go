package command

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

func seed(f *testing.F) {
	for _, body := range []string{
		`{"operationId":"o","type":"CREATE_NODE","payload":{"id":"n","title":"t","position":{"x":1,"y":2.50},"data":{"a":[null,1e3]}}}`,
		`{"type":"UPDATE_EDGE","payload":{"edgeId":"e","updates":{"source":"a","b":null}},"clientVersion":4,"hash":"aa"}`,
		`{"type":"BATCH_UPDATE","payload":{"nodes":{"n":{"title":"\u00e4"}},"edges":[{"source":"n","target":"n"}],"viewport":{"x":0.1}}}`,
		`{"type":"BATCH_UPDATE","payload":{"operations":[{"type":"DELETE_NODE","payload":{"nodeId":"n"}}]}}`,
		`{"atomic":true,"operations":[{"operationId":"p","type":"DELETE_NODE","payload":{"nodeId":"n"}},{"type":"UPDATE_VIEWPORT","payload":{}}]}`,
		`{"operations":[{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n","title":"\u0000"}},7]}`,
		`{"type":"command","command":"UPDATE_NODE_POSITION","payload":{"nodeId":"n","position":{"x":-0,"y":9007199254740993}}}`,
		`{"type":"command","data":{"type":"DELETE_EDGE","payload":{"edgeId":"\u0065"}}}`,
		`{"type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"\u005f_proto__":{"":1}}}}`, `{`, `[]`, `{"":"\ud800"}`,
		`{"type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"a/b":{"~":[]}}},"strategy":"MERGE","timestamp":0,"dryRun":true}`,
		`{"type":"RESTORE","payload":{"version":3},"strategy":"x"}`, `{"type":"undo","force":true,"operationId":"o"}`,
		`{"atomic":true,"strategy":"MANUAL","timestamp":32503680000000,"operations":[{"type":"DELETE_EDGE","payload":{"edgeId":"e"},"strategy":"SERVER_WINS"}]}`,
		`{"choice":"values","values":{"/a~1b":1,"":{"x":null},"/\u00e4":[[]]},"operationId":"o"}`, `{"choice":"client"}`, `{"choice":"server","values":null}`,
		`{"":"MANUAL","/*/x":"MERGE","/a~01":"LAST_WRITE_WINS","/\ud83d\ude00":"CLIENT_WINS"}`, `{"/a":"manual"}`, `{"a":"MANUAL","/~":"MANUAL"}`,
	} {
		f.Add([]byte(body))
	}
}

// canonicalAgain is how a body reads once it has been brought into canonical form.
func canonicalAgain(t *testing.T, body []byte) []byte {
	canonical, err := projection.Canonical(body)
	if err != nil {
		t.Fatalf("%q was accepted and is not JSON: %v", body, err)
	}
	return canonical
}

func checkAccepted(t *testing.T, first, second *Command) {
	if first.Request != second.Request || first.OperationID != second.OperationID || !bytes.Equal(first.write.value, second.write.value) {
		t.Errorf("read again: %+v, want %+v", second, first)
	}
	if value := first.write.value; len(value) > 0 {
		canonical := jsontext.Value(bytes.Clone(value))
		if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, value) {
			t.Errorf("value %s is not canonical: %v", value, err)
		}
	}
	for i := range first.Operations {
		checkAccepted(t, &first.Operations[i], &second.Operations[i])
	}
}

func checkError(t *testing.T, err error) {
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Code == "" || refusal.Code == Internal {
		t.Errorf("refused with %v", err)
	}
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, plain := projection.CanonicalPlain(body); plain {
			if err := checkNumbers(body); err != nil || hasLongNumber(body) {
				t.Fatalf("%q is plain, and a number of it needs a check: %v", body, err)
			}
		}
		first, err := Parse(body, someone)
		if err != nil {
			checkError(t, err)
			return
		}
		second, err := Parse(canonicalAgain(t, body), someone)
		if err != nil {
			t.Fatalf("%q was accepted, and refused in canonical form: %v", body, err)
		}
		checkAccepted(t, first, second)
	})
}

func FuzzParseFrame(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		first, err := ParseFrame(frame, someone)
		if err != nil {
			checkError(t, err)
			return
		}
		second, err := ParseFrame(canonicalAgain(t, frame), someone)
		if err != nil {
			t.Fatalf("%q was accepted, and refused in canonical form: %v", frame, err)
		}
		checkAccepted(t, first, second)
	})
}

func FuzzParseBatch(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		atomic, commands, errs, err := ParseBatch(body, someone)
		if err != nil {
			checkError(t, err)
			return
		}
		atomicAgain, again, _, err := ParseBatch(canonicalAgain(t, body), someone)
		if err != nil {
			t.Fatalf("%q was accepted, and refused in canonical form: %v", body, err)
		}
		if atomic != nil {
			checkAccepted(t, atomic, atomicAgain)
		}
		for i, command := range commands {
			if (command == nil) == (errs[i] == nil) {
				t.Fatalf("operation %d: %v and %v", i, command, errs[i])
			}
			if command == nil {
				checkError(t, errs[i])
			} else {
				checkAccepted(t, command, again[i])
			}
		}
	})
}

func FuzzParseUndo(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, parse := range []func([]byte, Identity) (*Command, error){ParseUndo, ParseRedo, ParseUndoFrame} {
			first, err := parse(body, someone)
			if err != nil {
				checkError(t, err)
				continue
			}
			if len(body) == 0 {
				continue
			}
			second, err := parse(canonicalAgain(t, body), someone)
			if err != nil || second.force != first.force || second.DryRun != first.DryRun {
				t.Fatalf("%q was accepted, and in canonical form: %+v, %v", body, second, err)
			}
			checkAccepted(t, first, second)
		}
	})
}

func FuzzParseResolve(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := ParseResolve(body, "7-0", someone)
		if err != nil {
			checkError(t, err)
			return
		}
		second, err := ParseResolve(canonicalAgain(t, body), "7-0", someone)
		if err != nil || !bytes.Equal(first.Payload, second.Payload) {
			t.Fatalf("%q was accepted, and in canonical form: %+v, %v", body, second, err)
		}
		checkAccepted(t, first, second)
		if payload, err := projection.Canonical(first.Payload); err != nil || !bytes.Equal(payload, first.Payload) {
			t.Fatalf("payload %s is not canonical: %v", first.Payload, err)
		}
		for path, value := range first.resolve.values {
			if first.resolve.choice != choiceValues || !value.IsValid() {
				t.Fatalf("%q: %s for %q", body, value, path)
			}
		}
		// Whatever was given, it is refused or makes an entity that is one.
		record := jsontext.Value(`{"id":"n","kind":"node","paths":[{"path":"/title","client":"t"},{"path":"/a~1b","client":null},{"path":"/ä/b","client":1}]}`)
		w := given(t, cmd(CreateNode, `{"id":"n","title":"a"}`))
		d := decider{terms: terms{now: 5, limits: &usual.limits}, graph: w.graph}
		if refusal := d.resolve(first, record); refusal != nil {
			checkError(t, refusal)
			return
		}
		value := w.graph.Value(projection.Node, "n")
		if canonical, err := projection.Canonical(value); err != nil || !bytes.Equal(canonical, value) || nesting(value) > MaxDepth {
			t.Fatalf("%q made %s: %v", body, value, err)
		}
		if err := projection.NewGraph("g").Load(projection.Node, "n", value); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := ParsePolicy(body, someone)
		configured, configErr := ParsePolicyConfig(body)
		if (err == nil) != (configErr == nil) {
			t.Fatalf("%q: %v as a body, %v as a configuration", body, err, configErr)
		}
		if err != nil {
			checkError(t, err)
			checkError(t, configErr)
			return
		}
		folded, refusal := readPolicy(c.Payload)
		if refusal != nil {
			t.Fatalf("%q was accepted, and is refused in the log: %v", body, refusal)
		}
		for name, value := range projection.Members(c.Payload) {
			pattern := projection.Name(name)
			steps, _ := pointerSteps(pattern)
			if got := folded.strategy(steps); got != projection.Text(value) && !bytes.ContainsRune(name, '*') || got != configured.strategy(steps) {
				t.Fatalf("%q at its own pattern %q: got %q", body, pattern, got)
			}
		}
	})
}
