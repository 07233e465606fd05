package command

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"graphy/eventstore"
)

const remove1 = `"type":"DELETE_NODE","payload":{"nodeId":"n1"}`

func TestParseFields(t *testing.T) {
	body := `{"operationId":"o1",` + remove1 + `,"clientVersion":41,"clientId":"tab-2","timestamp":1760000000000,
		"strategy":"MERGE","gestureId":"g1","hash":"6b","dryRun":false}`
	c := mustParse(t, body)
	if c.OperationID != "o1" || c.Type != DeleteNode || !c.HasBase || c.Base != 41 || c.ClientID != "tab-2" || c.UserID != "u1" ||
		c.Timestamp != 1760000000000 || c.Strategy != "MERGE" || c.GestureID != "g1" || !c.HasBaseHash || c.BaseHash != "6b" || c.Minted {
		t.Errorf("got %+v", c)
	}
	if !slices.Equal(c.Targets(), []Target{{"node", "n1"}}) {
		t.Errorf("targets: got %v", c.Targets())
	}
	c = mustParse(t, `{`+remove1+`}`)
	if c.OperationID != "" || c.HasBase || c.HasBaseHash || c.ClientID != "tab-1" || c.Timestamp != 0 {
		t.Errorf("bare: got %+v", c)
	}
	if c := mustParse(t, `{`+remove1+`,"clientVersion":0,"hash":""}`); !c.HasBase || c.Base != 0 || !c.HasBaseHash || c.BaseHash != "" {
		t.Errorf("base 0: got %+v", c)
	}
	fixed, err := Parse([]byte(body), Identity{UserID: "u1", ClientID: "conn", Fixed: true})
	if err != nil || fixed.ClientID != "conn" {
		t.Errorf("fixed client: got %+v, %v", fixed, err)
	}
}

func TestBadFields(t *testing.T) {
	for field, pointer := range map[string]string{
		`"clientVersion":-1`: "/clientVersion", `"clientVersion":1.5`: "/clientVersion", `"clientVersion":"1"`: "/clientVersion",
		`"clientVersion":null`: "/clientVersion", `"clientVersion":9007199254740994`: "/clientVersion", `"clientVersion":1e30`: "/clientVersion",
		`"timestamp":"now"`: "/timestamp", `"timestamp":-1`: "/timestamp", `"strategy":"BEST"`: "/strategy", `"strategy":1`: "/strategy",
		`"hash":"00"`: "/hash", `"clientVersion":1,"hash":1`: "/hash", `"dryRun":1`: "/dryRun",
		`"a/b~c":1`: "/a~1b~0c", `"Type":"x"`: "/Type", `"userId":"x"`: "/userId", `"data":{}`: "/data", `"command":"x"`: "/command",
		`"\"":1`: "/\"", `"atomic":true`: "/atomic", `"operations":[]`: "/operations",
	} {
		body := `{"operationId":"o1",` + remove1 + `,` + field + `}`
		_, err := Parse([]byte(body), someone)
		checkRefusal(t, body, err, refused{InvalidPayload, pointer, "o1"})
	}
	_, err := Parse([]byte(`{"operationId":"o1","type":7,"payload":{}}`), someone)
	checkRefusal(t, "type 7", err, refused{InvalidPayload, "/type", "o1"})
	_, err = Parse([]byte(`{"operationId":"o1","type":"DELETE_NODE"}`), someone)
	checkRefusal(t, "no payload", err, refused{InvalidPayload, "/payload", "o1"})
	_, err = Parse([]byte(`{}`), someone)
	checkRefusal(t, "{}", err, refused{InvalidPayload, "/type", ""})
}

func TestFrames(t *testing.T) {
	for _, frame := range []string{
		`{"type":"command","command":"DELETE_NODE","payload":{"nodeId":"n1"},"operationId":"o1","clientVersion":3}`,
		`{"type":"command","data":{"operationId":"o1","clientVersion":3,` + remove1 + `}}`,
		`{"type":"COMMAND","data":{"operationId":"o1","clientVersion":3,` + remove1 + `}}`,
	} {
		c, err := ParseFrame([]byte(frame), someone)
		if err != nil || c.Type != DeleteNode || c.write.id != "n1" || c.OperationID != "o1" || c.Base != 3 {
			t.Errorf("%s: got %+v, %v", frame, c, err)
			continue
		}
		if c.Request != mustParse(t, `{`+remove1+`}`).Request {
			t.Errorf("%s: another fingerprint than by HTTP", frame)
		}
	}
	for frame, want := range map[string]refused{
		`{"type":"command"}`: {InvalidPayload, "/command", ""},
		`{"type":"command","command":1,"operationId":"o1"}`:              {InvalidPayload, "/command", "o1"},
		`{"type":"command","data":[],"operationId":"o1"}`:                {InvalidPayload, "/operationId", "o1"},
		`{"type":"command","data":[]}`:                                   {InvalidPayload, "/data", ""},
		`{"type":"command","data":{"operationId":"o1"},"payload":{}}`:    {InvalidPayload, "/payload", "o1"},
		`{"type":"command","data":{"operationId":"o1","command":"x"}}`:   {InvalidPayload, "/data/command", "o1"},
		`{"type":"command","data":{"operationId":"o1","x":1}}`:           {InvalidPayload, "/data/x", "o1"},
		`{"type":"command","data":{"operationId":"..",` + remove1 + `}}`: {InvalidID, "/data/operationId", ""},
		`{"type":"command","command":"DELETE_NODE","operationId":"o1"}`:  {InvalidPayload, "/payload", "o1"},
	} {
		_, err := ParseFrame([]byte(frame), someone)
		checkRefusal(t, frame, err, want)
	}
}

func TestFingerprint(t *testing.T) {
	same := []string{
		`{"type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"a":1,"b":"x"}}}`,
		`{"payload":{"updates":{"b":"\u0078","a":1.0},"nodeId":"n"},"type":"UPDATE_NODE","clientVersion":7,"operationId":"o"}`,
		` { "type":"UPDATE_NODE" , "payload":{"nodeId":"n","updates":{"a":10e-1,"b":"x"}},"clientId":"c","timestamp":5}`,
	}
	want := mustParse(t, same[0]).Request
	if len(want) != 8 || strings.Trim(want, "0123456789abcdef") != "" {
		t.Errorf("fingerprint %q is not eight hex digits", want)
	}
	for _, body := range same {
		if got := mustParse(t, body).Request; got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	for _, body := range []string{
		`{"type":"UPDATE_EDGE","payload":{"edgeId":"n","updates":{"a":1,"b":"x"}}}`,
		`{"type":"UPDATE_NODE","payload":{"nodeId":"m","updates":{"a":1,"b":"x"}}}`,
		`{"type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"a":2,"b":"x"}}}`,
		`{"type":"UPDATE_NODE","payload":{"nodeId":"n","updates":{"a":1,"b":"x","updatedAt":1}}}`,
	} {
		if got := mustParse(t, body).Request; got == want {
			t.Errorf("%s: the same fingerprint as another request", body)
		}
	}
}

func TestAtomicBatch(t *testing.T) {
	batch, commands, errs, err := ParseBatch([]byte(`{"atomic":true,"operationId":"b","clientVersion":4,"clientId":"c","timestamp":9,
		"strategy":"MERGE","gestureId":"g","hash":"aa","dryRun":false,
		"operations":[{"operationId":"p","strategy":"MANUAL",`+remove1+`},{"type":"CREATE_NODE","payload":{}}]}`), someone)
	if err != nil || commands != nil || errs != nil {
		t.Fatalf("got %v, %v, %v", commands, errs, err)
	}
	if batch.Type != Batch || batch.OperationID != "b" || batch.Base != 4 || batch.ClientID != "c" || batch.Timestamp != 9 ||
		batch.Strategy != "MERGE" || batch.GestureID != "g" || batch.BaseHash != "aa" || len(batch.Operations) != 2 || len(batch.Request) != 8 {
		t.Errorf("got %+v", batch)
	}
	if part := batch.Operations[0]; part.OperationID != "p" || part.Strategy != "MANUAL" || part.Request == "" || part.pointer != "/operations/0" {
		t.Errorf("first operation: got %+v", part)
	}
}

func TestBadBatches(t *testing.T) {
	ok := `{` + remove1 + `}`
	for body, want := range map[string]refused{
		`{}`:                                             {InvalidPayload, "/operations", ""},
		`{"operationId":"b"}`:                            {InvalidPayload, "/operations", "b"},
		`{"operationId":"b","operations":[]}`:            {InvalidPayload, "/operations", "b"},
		`{"operationId":"b","operations":{}}`:            {InvalidPayload, "/operations", "b"},
		`{"operations":[` + ok + `],"atomic":1}`:         {InvalidPayload, "/atomic", ""},
		`{"operations":[` + ok + `],"type":"BATCH"}`:     {InvalidPayload, "/type", ""},
		`{"operations":[` + ok + `],"payload":{}}`:       {InvalidPayload, "/payload", ""},
		`{"operations":[` + ok + `],"hash":"a"}`:         {InvalidPayload, "/hash", ""},
		`{"operations":[` + ok + `],"dryRun":0}`:         {InvalidPayload, "/dryRun", ""},
		`{"operations":[` + ok + `],"clientVersion":-1}`: {InvalidPayload, "/clientVersion", ""},
		`{"operations":[` + ok + `],"operationId":5}`:    {InvalidID, "/operationId", ""},
	} {
		_, _, _, err := ParseBatch([]byte(body), someone)
		checkRefusal(t, body, err, want)
	}
	for operation, want := range map[string]refused{
		`7`:                                   {InvalidPayload, "/operations/1", "b"},
		`{}`:                                  {InvalidPayload, "/operations/1/type", "b"},
		`{"type":"DELETE_NODE","payload":{}}`: {InvalidPayload, "/operations/1/payload/nodeId", "b"},
		`{"type":"DELETE_NODE","payload":{"nodeId":"a b"}}`:    {InvalidID, "/operations/1/payload/nodeId", "b"},
		`{"type":"BATCH","payload":{}}`:                        {InvalidPayload, "/operations/1/type", "b"},
		`{"type":"BATCH_UPDATE","payload":{"nodes":{"n":{}}}}`: {InvalidPayload, "/operations/1/type", "b"},
		`{"type":"RESTORE","payload":{"version":1}}`:           {InvalidPayload, "/operations/1/type", "b"},
		`{"clientVersion":1,` + remove1 + `}`:                  {InvalidPayload, "/operations/1/clientVersion", "b"},
		`{"timestamp":1,` + remove1 + `}`:                      {InvalidPayload, "/operations/1/timestamp", "b"},
		`{"gestureId":"g",` + remove1 + `}`:                    {InvalidPayload, "/operations/1/gestureId", "b"},
		`{"operationId":"p",` + remove1 + `}`:                  {OperationIDReused, "/operations/1/operationId", "b"},
		`{"operationId":"b",` + remove1 + `}`:                  {OperationIDReused, "/operations/1/operationId", "b"},
	} {
		body := `{"operationId":"b","atomic":true,"operations":[{"operationId":"p",` + remove1 + `},` + operation + `]}`
		_, _, _, err := ParseBatch([]byte(body), someone)
		checkRefusal(t, body, err, want)
	}
}

func TestNonAtomicBatch(t *testing.T) {
	atomic, commands, errs, err := ParseBatch([]byte(`{"operationId":"b","clientVersion":4,"hash":"aa","timestamp":9,"strategy":"MERGE","gestureId":"g",
		"operations":[{`+remove1+`},{"operationId":"p","clientVersion":5,"timestamp":10,"strategy":"MANUAL",`+remove1+`},
		{"operationId":"q","type":"NO","payload":{}},7,{"type":"DELETE_NODE","payload":{}},{"gestureId":"x",`+remove1+`}]}`), someone)
	if err != nil || atomic != nil || len(commands) != 6 || len(errs) != 6 {
		t.Fatalf("got %v, %v, %v, %v", atomic, commands, errs, err)
	}
	first, second := commands[0], commands[1]
	if first.OperationID != "b.0" || first.Base != 4 || first.BaseHash != eventstore.Hash("aa") || first.Timestamp != 9 || first.Strategy != "MERGE" || first.GestureID != "g" {
		t.Errorf("first: got %+v", first)
	}
	if second.OperationID != "p" || second.Base != 5 || second.HasBaseHash || second.Timestamp != 10 || second.Strategy != "MANUAL" {
		t.Errorf("second: got %+v", second)
	}
	for i, want := range []refused{{}, {}, {UnknownCommand, "/operations/2/type", "q"}, {InvalidPayload, "/operations/3", ""},
		{InvalidPayload, "/operations/4/payload/nodeId", ""}, {InvalidPayload, "/operations/5/gestureId", ""}} {
		if i < 2 {
			continue
		}
		if commands[i] != nil {
			t.Errorf("operation %d: got %+v", i, commands[i])
		}
		checkRefusal(t, "operation", errs[i], want)
	}
	_, commands, _, _ = ParseBatch([]byte(`{"operationId":"`+strings.Repeat("x", 128)+`","operations":[{`+remove1+`},{`+remove1+`}]}`), someone)
	if commands[0].OperationID == commands[1].OperationID || CheckID(commands[0].OperationID, "") != nil {
		t.Errorf("derived ids: got %q, %q", commands[0].OperationID, commands[1].OperationID)
	}
}

// TestBatchInBatchRefusesTheWhole, whether or not the batch is atomic.
func TestBatchInBatchRefusesTheWhole(t *testing.T) {
	for _, name := range []string{"BATCH_UPDATE", "BATCH", "RESTORE"} {
		for _, atomic := range []string{"true", "false"} {
			_, commands, errs, err := ParseBatch([]byte(`{"atomic":`+atomic+`,"operationId":"b","operations":[
				{"type":"CREATE_NODE","payload":{}},{"type":"`+name+`","payload":{}}]}`), Identity{UserID: "u"})
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Code != InvalidPayload || refusal.OperationID != "b" || refusal.Fields[0].Pointer != "/operations/1/type" || commands != nil || errs != nil {
				t.Errorf("%s, atomic %s: got %v, %v, %v", name, atomic, commands, errs, err)
			}
		}
	}
}
