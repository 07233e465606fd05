package e2e

import (
	"bufio"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// metric returns the sum of all series of a metric on the operators' listener.
func (s *server) metric(t testing.TB, name string) float64 {
	t.Helper()
	r, err := s.tryAt(t.Context(), s.admin, "GET", "/metrics", "")
	if err != nil || r.status != http.StatusOK {
		t.Fatalf("metrics: %v %v", r.status, err)
	}
	sum := 0.0
	for lines := bufio.NewScanner(bytes.NewReader(r.body)); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if found, _, _ := strings.Cut(series, "{"); found != name {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("metric %q: %v", lines.Text(), err)
		}
		sum += number
	}
	return sum
}
