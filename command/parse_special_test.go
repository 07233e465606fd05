package command

import (
	"errors"
	"strings"
	"testing"
)

// checkBody holds a refusal against what is wanted, and what it names.
func checkBody(t *testing.T, body string, err error, want refused, commandType string) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) {
		t.Errorf("%s: got %v, want %+v", body, err, want)
		return
	}
	checkRefusal(t, body, refusal, want)
	if want.code != MalformedJSON && strings.HasPrefix(body, "{") && refusal.Type != commandType {
		t.Errorf("%s: refused as %q", body, refusal.Type)
	}
}

func TestParseUndo(t *testing.T) {
	who := Identity{UserID: "u", ClientID: "tab"}
	for _, body := range []string{"", "{}", " {}\n"} {
		c, err := ParseUndo([]byte(body), who)
		if err != nil || c.Type != Undo || c.force || c.DryRun || c.OperationID != "" || c.Identity != who {
			t.Errorf("%q: got %+v, %v", body, c, err)
		}
	}
	c, err := ParseRedo([]byte(`{"operationId":"o","clientId":"c","force":true,"dryRun":true}`), who)
	if err != nil || c.Type != Redo || !c.force || !c.DryRun || c.OperationID != "o" || c.ClientID != "c" {
		t.Errorf("got %+v, %v", c, err)
	}
	gently, err := ParseRedo([]byte(`{"operationId":"o","force":false}`), who)
	plain, _ := ParseRedo([]byte(`{"operationId":"o"}`), who)
	undo, _ := ParseUndo([]byte(`{"operationId":"o"}`), who)
	if err != nil || gently.Request != plain.Request || gently.Request == c.Request || undo.Request == plain.Request {
		t.Errorf("fingerprints: %s %s %s %s, %v", gently.Request, plain.Request, c.Request, undo.Request, err)
	}
	for _, frame := range []string{`{"type":"undo","force":true}`, `{"type":"UNDO","force":true}`, `{"type":"Undo","force":true,"operationId":"o"}`} {
		if c, err := ParseUndoFrame([]byte(frame), Identity{UserID: "u", ClientID: "ws", Fixed: true}); err != nil || c.Type != Undo || !c.force || c.ClientID != "ws" {
			t.Errorf("%s: got %+v, %v", frame, c, err)
		}
	}
	tests := []struct {
		body string
		want refused
	}{
		{`{"force":1}`, refused{InvalidPayload, "/force", ""}},
		{`{"force":null}`, refused{InvalidPayload, "/force", ""}},
		{`{"dryRun":"true"}`, refused{InvalidPayload, "/dryRun", ""}},
		{`{"operationId":"a b"}`, refused{InvalidID, "/operationId", ""}},
		{`{"clientId":7}`, refused{InvalidID, "/clientId", ""}},
		{`{"operationId":"o","clientVersion":1}`, refused{InvalidPayload, "/clientVersion", "o"}},
		{`{"operationId":"o","a/b":1}`, refused{InvalidPayload, "/a~1b", "o"}},
		{`{"operationId":"o","type":"undo"}`, refused{InvalidPayload, "/type", "o"}},
		{`[]`, refused{InvalidPayload, "", ""}},
		{`{"force":true,"force":true}`, refused{MalformedJSON, "-", ""}},
		{`{`, refused{MalformedJSON, "-", ""}},
		{`{}{}`, refused{MalformedJSON, "-", ""}},
	}
	for _, test := range tests {
		_, err := ParseUndo([]byte(test.body), who)
		checkBody(t, test.body, err, test.want, Undo)
		_, err = ParseRedo([]byte(test.body), who)
		checkBody(t, test.body, err, test.want, Redo)
	}
}

func TestParseResolve(t *testing.T) {
	who := Identity{UserID: "u", ClientID: "tab"}
	c, err := ParseResolve([]byte(`{"values":{"/a~1b":1,"":{"x":null},"/\u00e4":null},"choice":"values","operationId":"o","clientId":"c","dryRun":true}`), "7-0", who)
	if err != nil || c.Type != Resolve || c.OperationID != "o" || c.ClientID != "c" || !c.DryRun || c.resolve.conflictID != "7-0" || c.resolve.choice != choiceValues ||
		len(c.resolve.values) != 3 || string(c.resolve.values["/ä"]) != "null" || string(c.resolve.values[""]) != `{"x":null}` {
		t.Errorf("got %+v, %v", c, err)
	}
	if want := `{"choice":"values","conflictId":"7-0","values":{"":{"x":null},"/a~1b":1,"/ä":null}}`; string(c.Payload) != want || c.Request != fingerprint(Resolve, []byte(want)) {
		t.Errorf("payload: got %s", c.Payload)
	}
	tests := []struct {
		body string
		want refused
	}{
		{`{}`, refused{InvalidPayload, "/choice", ""}},
		{`{"choice":"both"}`, refused{InvalidPayload, "/choice", ""}},
		{`{"choice":1}`, refused{InvalidPayload, "/choice", ""}},
		{`{"choice":"values"}`, refused{InvalidPayload, "/values", ""}},
		{`{"choice":"values","values":{}}`, refused{InvalidPayload, "/values", ""}},
		{`{"choice":"values","values":[]}`, refused{InvalidPayload, "/values", ""}},
		{`{"choice":"values","values":null}`, refused{InvalidPayload, "/values", ""}},
		{`{"choice":"client","values":{"/a":1},"operationId":"o"}`, refused{InvalidPayload, "/values", "o"}},
		{`{"choice":"server","values":{}}`, refused{InvalidPayload, "/values", ""}},
		{`{"choice":"values","values":{"/a":{"__proto__":1}}}`, refused{InvalidPayload, "/values/~1a/__proto__", ""}},
		{`{"choice":"values","values":{"/a":` + strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1) + `}}`, refused{InvalidPayload, "/values/~1a" + strings.Repeat("/0", MaxDepth), ""}},
		{`{"choice":"values","values":{"/a":9007199254740993}}`, refused{InvalidPayload, "/values/~1a", ""}},
		{`{"choice":"client","strategy":"MANUAL"}`, refused{InvalidPayload, "/strategy", ""}},
		{`{"choice":"client","operationId":""}`, refused{InvalidID, "/operationId", ""}},
		{`7`, refused{InvalidPayload, "", ""}},
		{``, refused{MalformedJSON, "-", ""}},
	}
	for _, test := range tests {
		_, err := ParseResolve([]byte(test.body), "7-0", who)
		if strings.Contains(test.body, "9007199254740993") { // refused before it is known what it is
			checkRefusal(t, test.body, err, test.want)
			continue
		}
		checkBody(t, test.body, err, test.want, Resolve)
	}
}

func TestParseStrategyAndTimestamp(t *testing.T) {
	tests := []struct {
		more string
		want refused
	}{
		{`"strategy":"FIRST_WRITE_WINS"`, refused{InvalidPayload, "/strategy", ""}},
		{`"strategy":"merge"`, refused{InvalidPayload, "/strategy", ""}},
		{`"strategy":""`, refused{InvalidPayload, "/strategy", ""}},
		{`"strategy":null`, refused{InvalidPayload, "/strategy", ""}},
		{`"timestamp":-1`, refused{InvalidPayload, "/timestamp", ""}},
		{`"timestamp":1.5`, refused{InvalidPayload, "/timestamp", ""}},
		{`"timestamp":"1"`, refused{InvalidPayload, "/timestamp", ""}},
	}
	for _, test := range tests {
		_, err := Parse([]byte(`{"type":"UPDATE_VIEWPORT","payload":{},`+test.more+`}`), someone)
		checkRefusal(t, test.more, err, test.want)
	}
	for name := range strategies {
		if c, err := Parse([]byte(`{"type":"UPDATE_VIEWPORT","payload":{},"timestamp":0,"strategy":"`+name+`"}`), someone); err != nil || c.Strategy != name || c.Timestamp == 0 {
			t.Errorf("%s: got %+v, %v", name, c, err)
		}
	}
}
