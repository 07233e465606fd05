package e2e

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
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

// TestAlarmsAreOfMetricsThatExist: what the page of alarms watches is served, from the start.
func TestAlarmsAreOfMetricsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "cmd/graphy/operations/alarm.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := shared.onRedis(t)
	r, err := s.tryAt(t.Context(), s.admin, "GET", "/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`graphy_[a-z_]+`).FindAllString(string(page), -1)
	if len(names) < 8 {
		t.Errorf("the page names only %q", names)
	}
	for _, name := range names {
		if !bytes.Contains(r.body, []byte("\n# TYPE "+strings.TrimSuffix(name, "_bucket")+" ")) {
			t.Errorf("there is no metric %s", name)
		}
	}
}
