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
