package transport

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDoctorAndConfig(t *testing.T) {
	d := newDesk(t, func(s *Services) {
		s.Doctor = func(context.Context) (Diagnosis, error) {
			return Diagnosis{Severity: SeverityWarning, Findings: []Finding{{Check: "clock", Severity: SeverityWarning, Text: "it is late", Remedy: "sleep"}}}, nil
		}
		s.Config = func() []Setting {
			return []Setting{{Name: "GRAPHY_ADDR", Value: "127.0.0.1:3000", Source: "default"},
				{Name: "GRAPHY_JWT_SECRET", Value: "hunter2", Source: "environment", Secret: true}}
		}
	})
	wantJSON(t, d.operate(http.MethodGet, "/doctor", "").raw,
		`{"severity":"warning","findings":[{"check":"clock","severity":"warning","text":"it is late","remedy":"sleep"}]}`)
	wantJSON(t, d.operate(http.MethodGet, "/config", "").raw, `{"settings":[{"name":"GRAPHY_ADDR","value":"127.0.0.1:3000","source":"default"},
		{"name":"GRAPHY_JWT_SECRET","value":"***","source":"environment","secret":true}]}`)
	if settings := d.desk.services.Config(); settings[1].Value != "hunter2" {
		t.Error("the process's own settings were written to")
	}
}

func TestTokensForOperators(t *testing.T) {
	var asked TokenRequest
	d := newDesk(t, func(s *Services) {
		s.MintToken = func(request TokenRequest) (Token, error) {
			asked = request
			return Token{Token: "e30.e30.secretsignature", Expires: 1760000000000}, nil
		}
	})
	got := d.operate(http.MethodPost, "/tokens", `{"user":"ann","graphs":{"demo":"editor","*":"viewer"},"admin":true,"ttl":"90m"}`)
	wantJSON(t, got.raw, `{"token":"e30.e30.secretsignature","expires":1760000000000}`)
	if long, err := asked.Lifetime(); err != nil || long != 90*time.Minute || asked.User != "ann" || !asked.Admin || len(asked.Graphs) != 2 {
		t.Errorf("asked for %+v, %v", asked, err)
	}
	fields := d.audited("token made")
	if fields["for"] != "ann" || fields["admin"] != true || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	for _, value := range fields {
		if text, ok := value.(string); ok && strings.Contains(text, "secretsignature") {
			t.Errorf("put down was %v, with the token", fields)
		}
	}
	for body, pointer := range map[string]string{
		`{}`: "/user", `{"user":""}`: "/user", `{"user":"a\u0000"}`: "/user", `{"user":"a","graphs":{"a b":"viewer"}}`: "/graphs",
		`{"user":"a","graphs":{"~x":"king"}}`: "/graphs/~0x", `{"user":"a","ttl":"soon"}`: "/ttl", `{"user":"a","ttl":"-1h"}`: "/ttl",
		`{"user":"a","ttl":"100000h"}`: "/ttl", `{"user":"a","scope":"x"}`: "/scope",
	} {
		got := d.operate(http.MethodPost, "/tokens", body)
		wantProblem(t, got, 422, "invalid-payload")
		if !strings.Contains(string(got.raw), `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: got %s, want pointer %s", body, got.raw, pointer)
		}
	}
}

func TestSeedByAnOperator(t *testing.T) {
	d := newDesk(t, func(s *Services) {
		s.Seed = func(_ context.Context, request SeedRequest, progress func(done, total int)) (Seeded, error) {
			progress(7, 7)
			return Seeded{GraphID: request.GraphID, Version: 7, Events: request.Events, Nodes: 2, Edges: 1}, nil
		}
	})
	wantJSON(t, d.operate(http.MethodPost, "/seed", `{"graphId":"demo","events":7,"users":2,"seed":1}`).raw,
		`{"graphId":"demo","version":7,"events":7,"nodes":2,"edges":1}`)
	lines, _ := d.lines(t.Context(), http.MethodPost, "/seed", `{"graphId":"demo"}`)
	all := rest(t, lines)
	if len(ofType(all, "result")) != 1 || all[len(all)-1]["type"] != "end" {
		t.Errorf("got %v", all)
	}
	if fields := d.audited("graph seeded"); fields["graphId"] != "demo" || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	for _, body := range []string{`{"graphId":"demo","events":-1}`, `{"graphId":"demo","events":1000000}`, `{"graphId":"demo","users":5000}`} {
		wantProblem(t, d.operate(http.MethodPost, "/seed", body), 422, "invalid-payload")
	}
	wantProblem(t, d.operate(http.MethodPost, "/seed", `{"graphId":""}`), 400, "invalid-id")
}
