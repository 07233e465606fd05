package main

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Reports as the API gives them.
const (
	verifiedOK    = `{"graphId":"a","ok":true,"version":12,"checkpoint":12,"events":12,"mismatches":0,"millis":3}`
	verifiedWrong = `{"graphId":"b","ok":false,"version":7,"checkpoint":6,"events":7,"mismatches":3,"millis":61000,"first":[` +
		`{"kind":"chain","version":4,"want":"9f","found":"00","detail":"a byte was flipped"},{"kind":"node","id":"n1","want":"{}"}]}`
	failedGraph = `{"graphId":"c","error":{"type":"/problems/not-found","title":"None","status":404,"detail":"there is no such graph","code":"not-found"}}`
	someGraph   = `{"graphId":"a","version":1200,"checkpoint":1190,"lag":10,"lagSeconds":1.25,"nodes":40,"edges":39,"lastModified":1795322153270,"first":101,"state":"behind","bytes":123456`
	letter      = `{"id":"1760000000000-0","graphId":"b","version":4,"cause":"an event \u001b[31m cannot be read","attempts":3,"time":1795322153270`
	session     = `{"graphId":"a","userId":"ada","clientId":"tab-1","connectionId":"c1","kind":"websocket","connected":1795322153270,"reported":1190,"address":"127.0.0.1:5","sent":1200,"lag":0,"queued":20480}`
)

func result(text string) string { return `{"type":"result","result":` + text + `}` }

// goldens are command lines, what the API answers, and the exit code. The output of each, as people and as programs get
// it, is in testdata/output.
var goldens = []struct {
	name    string
	args    string
	answers map[string]http.HandlerFunc
	code    int
}{
	{"verify", "verify a b c", map[string]http.HandlerFunc{"POST /verify": lines(
		`{"type":"progress","done":0,"total":3}`, result(verifiedWrong), result(verifiedOK), result(failedGraph),
		`{"type":"end","summary":{"graphs":3,"events":19,"millis":5}}`)}, exitWrong},
	{"verify-all", "verify --all", map[string]http.HandlerFunc{"POST /verify": lines(
		result(verifiedOK), result(verifiedWrong), `{"type":"end","summary":{"graphs":2,"events":19}}`)}, exitWrong},
	{"verify-ok", "verify a", map[string]http.HandlerFunc{"POST /verify": lines(result(verifiedOK), `{"type":"end"}`)}, exitDone},
	{"rebuild", "rebuild --all --dry-run --verbose", map[string]http.HandlerFunc{"POST /rebuild": lines(
		result(`{"graphId":"a","outcome":"unchanged","dryRun":true,"version":12,"events":12,"differences":0,"millis":2}`),
		result(`{"graphId":"b","outcome":"different","dryRun":true,"version":9,"events":9,"differences":1,"first":[{"kind":"edge","id":"e1","found":"{}"}],"millis":2}`),
		result(`{"graphId":"c","outcome":"parked","version":3,"events":3,"differences":0,"cause":"version 3 cannot be folded","millis":2}`),
		`{"type":"end","summary":{"events":24}}`)}, exitWrong},
	{"retain", "retain --all", map[string]http.HandlerFunc{"POST /retain": lines(
		result(`{"graphId":"a","outcome":"trimmed","first":901,"version":1000,"trimmed":900,"archived":900,"millis":12}`),
		result(`{"graphId":"b","outcome":"kept","first":1,"version":90,"trimmed":0,"archived":0,"millis":1}`),
		`{"type":"end","summary":{}}`)}, exitDone},
	{"restore", "restore a --dry-run", map[string]http.HandlerFunc{"POST /restore": lines(
		result(`{"graphId":"a","outcome":"restored","dryRun":true,"first":1,"version":1000,"added":900,"replaced":2,"millis":12}`), `{"type":"end"}`)}, exitDone},
	{"graphs-list", "graphs list", map[string]http.HandlerFunc{
		"GET /graphs?limit=500":          object(`{"graphs":[` + someGraph + `}],"cursor":"a"}`),
		"GET /graphs?cursor=a&limit=500": object(`{"graphs":[{"graphId":"b","version":3,"checkpoint":0,"lag":3,"lagSeconds":0,"nodes":0,"edges":0,"lastModified":0,"first":0,"state":"parked","cause":"poison"}]}`)}, exitDone},
	{"graphs-list-none", "graphs list --state parked", map[string]http.HandlerFunc{"GET /graphs": object(`{"graphs":[]}`)}, exitDone},
	{"graphs-show", "graphs show a", map[string]http.HandlerFunc{"GET /graphs/a": object(someGraph + `,"stats":{"version":1190,"events":1190,"byType":{"UNDO":2,"BATCH":9},"completed":1},` +
		`"base":{"version":100,"hash":"aa"},"snapshots":[{"version":1000,"hash":"bb"}],"archive":[{"from":{"version":0,"hash":""},"to":{"version":100,"hash":"aa"},"bytes":4096}],"clients":[` + session + `]}`)}, exitDone},
	{"graphs-delete", "graphs delete a --archive --dry-run", map[string]http.HandlerFunc{"GET /graphs/a": object(someGraph + `,"snapshots":[],"clients":[],"archive":[{"from":{"version":0,"hash":""},"to":{"version":100,"hash":"aa"},"bytes":4096}]}`)}, exitDone},
	{"graphs-copy", "graphs copy a b --at 7", map[string]http.HandlerFunc{"POST /graphs/a/copy": object(`{"graphId":"b","from":"a","version":7,"hash":"cc"}`)}, exitDone},
	{"archive-list", "archive list a", map[string]http.HandlerFunc{"GET /graphs/a/archive": object(`{"segments":[{"from":{"version":0,"hash":""},"to":{"version":1000,"hash":"aa"},"bytes":20480}]}`)}, exitDone},
	{"sessions-list", "sessions list --graph a", map[string]http.HandlerFunc{"GET /sessions": object(`{"sessions":[` + session + `]}`)}, exitDone},
	{"sessions-kick", "sessions kick tab-1 --reason flood", map[string]http.HandlerFunc{"DELETE /sessions/tab-1": object(`{"clientId":"tab-1","ended":2,"forgotten":true}`)}, exitDone},
	{"conflicts-list", "conflicts list --status open", map[string]http.HandlerFunc{"GET /conflicts": object(`{"conflicts":[{"graphId":"a","conflictId":"7-0","status":"open","kind":"node","id":"n1","operationId":"o","version":7,"timestamp":1795322153270,"userId":"ada","clientId":"t","paths":[{"path":"/data/status","by":{"userId":"bob"}},{"path":"","by":{"userId":"ada"}}]}]}`)}, exitDone},
	{"deadletters-list", "deadletters list --closed", map[string]http.HandlerFunc{"GET /deadletters": object(`{"letters":[` + letter + `,"closed":{"outcome":"skipped","reason":"bit flip","by":"ops","time":1795322153270}}]}`)}, exitDone},
	{"deadletters-show", "deadletters show 1760000000000-0", map[string]http.HandlerFunc{"GET /deadletters/1760000000000-0": object(letter + `,"payload":"{\"version\":4,"}`)}, exitDone},
	{"deadletters-skip", "deadletters skip 1760000000000-0 --reason flip --yes", map[string]http.HandlerFunc{"POST /deadletters/1760000000000-0/skip": object(
		`{"id":"1760000000000-0","graphId":"b","outcome":"skipped","skipped":{"graphId":"b","skipped":[4,5],"version":7}}`)}, exitDone},
	{"doctor", "doctor", map[string]http.HandlerFunc{"GET /doctor": object(`{"severity":"warning","findings":[{"check":"clock","severity":"ok","text":"fits"},` +
		`{"check":"policy","severity":"warning","text":"maxmemory is not set","remedy":"set maxmemory"}]}`)}, exitWarnings},
	{"log-show", "log show a --since 40", map[string]http.HandlerFunc{"GET /graphs/a/log": lines(
		`{"version":41,"commandType":"UPDATE_NODE","operationId":"o","userId":"ada","timestamp":1795322153270,"changes":[{"op":"patch","kind":"node","id":"n1","set":{"title":"x","updatedAt":1}}],"conflict":{"resolution":"manual","paths":[]},"hash":"aa"}`,
		`{"version":42,"commandType":"UNDO","userId":"bob","timestamp":1795322153270,"changes":[{"op":"put","kind":"node","id":"n2","value":{}},{"op":"put","kind":"edge","id":"e1"},{"op":"put","kind":"edge","id":"e2"},{"op":"delete","kind":"edge","id":"e3"}],"undoes":[40,39],"hash":"bb"}`,
		`{"version":43,"damaged":"{\"ver","hash":"cc"}`)}, exitDone},
	{"log-diff", "log diff a --from 40", map[string]http.HandlerFunc{"GET /graphs/a/log/diff?from=40": object(`{"from":40,"to":42,"changes":[{"op":"put","kind":"node","id":"n2","value":{"id":"n2"}},` +
		`{"op":"patch","kind":"node","id":"n1","set":{"title":"y","label":null},"was":{"title":"x"}},{"op":"delete","kind":"edge","id":"e1","was":{"id":"e1"}}]}`)}, exitDone},
	{"log-diff-with", "log diff a --with b", map[string]http.HandlerFunc{"GET /graphs/a/log/diff?with=b": object(`{"same":false,"common":{"version":5,"hash":"aa"},"a":{"version":9,"hash":"bb"},"b":{"version":7,"hash":"cc"}}`)}, exitWrong},
	{"seed-plan", "seed --dry-run --events 60 --seed 3", nil, exitDone},
}

func TestOutput(t *testing.T) {
	for _, test := range goldens {
		for _, form := range []string{"txt", "json"} {
			t.Run(test.name+"."+form, func(t *testing.T) {
				r := newRig(t, test.answers)
				args := strings.Fields(test.args)
				if form == "json" {
					args = append(args, "--output", "json")
				}
				got := r.run(t.Context(), args...)
				if got.code != test.code || got.errors != "" {
					t.Errorf("exit code %d, want %d; %s", got.code, test.code, got.errors)
				}
				checkGolden(t, filepath.Join("testdata", "output", test.name+"."+form), "graphy "+test.args+"\n"+got.out)
			})
		}
	}
}

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// What is sent is what the flags say, and nothing of what they do not.
func TestRequests(t *testing.T) {
	for args, want := range map[string]string{
		"verify a b":                                                 `POST /verify {"graphs":["a","b"]}`,
		"verify --all --after g1 --parallel 3":                       `POST /verify {"all":true,"after":"g1","parallel":3}`,
		"rebuild a --from-snapshot":                                  `POST /rebuild {"graphs":["a"],"fromSnapshot":true}`,
		"retain --all --events 500 --age 36h --dry-run":              `POST /retain {"all":true,"events":500,"age":"36h0m0s","dryRun":true}`,
		"restore a --yes":                                            `POST /restore {"graphs":["a"]}`,
		"graphs list --state parked --limit 3":                       `GET /graphs?limit=3&state=parked`,
		"graphs copy a b":                                            `POST /graphs/a/copy {"to":"b"}`,
		"sessions list --graph a --as ada":                           `GET /sessions?graph=a&limit=500&user=ada`,
		"sessions kick t":                                            `DELETE /sessions/t`,
		"sessions kick t --reason because":                           `DELETE /sessions/t {"reason":"because"}`,
		"conflicts list --graph a --status open":                     `GET /conflicts?graph=a&limit=500&status=open`,
		"deadletters list --graph a":                                 `GET /deadletters?graph=a&limit=500`,
		"deadletters retry 1-0 --reason mended --dry-run":            `POST /deadletters/1-0/retry {"reason":"mended","dryRun":true}`,
		"deadletters skip 1-0 --reason x --cascade -y":               `POST /deadletters/1-0/skip {"reason":"x","cascade":true}`,
		"deadletters discard 1-0 --reason x --yes":                   `POST /deadletters/1-0/discard {"reason":"x"}`,
		"log show a --since 4 --to 9 --limit 2":                      `GET /graphs/a/log?limit=2&since=4&to=9`,
		"log tail a --since 0":                                       `GET /graphs/a/log?follow=true`,
		"log diff a --from 0 --to 9":                                 `GET /graphs/a/log/diff?from=0&to=9`,
		"log export a b --file " + filepath.Join(t.TempDir(), "x"):   `GET /export?graph=a&graph=b`,
		"log export --all --file " + filepath.Join(t.TempDir(), "x"): `GET /export?all=true`,
	} {
		r := newRig(t, nil)
		r.run(t.Context(), strings.Fields(args)...)
		if got := strings.Join(r.fake.asked(), "\n"); got != want {
			t.Errorf("%s: sent\n%s\nwant\n%s", args, got, want)
		}
	}
}

// A list is read page by page, to its end or to the limit.
func TestListsInPages(t *testing.T) {
	page := func(n int, next string) http.HandlerFunc {
		return object(`{"letters":[` + strings.TrimSuffix(strings.Repeat(letter+`},`, n), ",") + `],"before":"` + next + `"}`)
	}
	for limit, want := range map[int]int{0: 503, 2: 2, 501: 501} {
		r := newRig(t, map[string]http.HandlerFunc{
			"GET /deadletters?limit=500": page(500, "p"), "GET /deadletters?before=p&limit=500": page(3, ""),
			"GET /deadletters?limit=2": page(2, "p"), "GET /deadletters?before=p&limit=1": page(1, "q")})
		got := r.run(t.Context(), "deadletters", "list", "--output", "json", "--limit", strconv.Itoa(limit))
		if lines := strings.Count(got.out, "\n"); got.code != 0 || lines != want {
			t.Errorf("limit %d: %d letters, exit code %d %s, want %d", limit, lines, got.code, got.errors, want)
		}
	}
}
