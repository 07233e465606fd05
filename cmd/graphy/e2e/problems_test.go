package e2e

import (
	"strings"
	"testing"
)

// refused checks a refusal: its status, its code, its form as a problem document, and the pointers of its errors.
func (s *server) refused(t testing.TB, r reply, status int, code string, pointers ...string) object {
	t.Helper()
	o := object{}
	if len(r.body) > 0 {
		o = r.object(t)
	}
	if r.status != status || o.text("code") != code {
		t.Errorf("got %v, want %d %s", r, status, code)
		return o
	}
	checkProblem(t, o, status, code, pointers...)
	if kind := r.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("%s: Content-Type %q", code, kind)
	}
	if retry := r.header.Get("Retry-After"); (status == 503 || status == 429) != (retry != "") {
		t.Errorf("%s: Retry-After %q", code, retry)
	}
	return o
}

// checkProblem checks the members of a problem, wherever it stands.
func checkProblem(t testing.TB, o object, status int, code string, pointers ...string) {
	t.Helper()
	if o.text("type") != "/problems/"+code || o.at("status") != float64(status) || o.text("title") == "" || o.text("detail") == "" {
		t.Errorf("problem of %s: %v", code, o)
	}
	for i, pointer := range pointers {
		if got := o.text("errors", i, "pointer"); got != pointer || o.text("errors", i, "detail") == "" {
			t.Errorf("%s: pointer %d is %q, want %q: %v", code, i, got, pointer, o.at("errors"))
		}
	}
	for _, leak := range []string{"redis", "goroutine", ".go:", "rueidis", "EVALSHA"} {
		if strings.Contains(strings.ToLower(o.text("detail")), leak) {
			t.Errorf("%s tells internals: %v", code, o)
		}
	}
}
