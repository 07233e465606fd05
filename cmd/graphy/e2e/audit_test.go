package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"graphy/transport/auth/authtest"
)

// TestAuditIsWrittenWhateverTheLogLevel: who is denied stands in the audit log of a server that logs errors alone.
func TestAuditIsWrittenWhateverTheLogLevel(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_LOG_LEVEL=error", "GRAPHY_JWT_SECRET="+authtest.Secret)
	answer, err := s.http.Get(s.base + "/api/v2/graphs/secret-plans/state")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", answer.StatusCode)
	}
	await(t, 10*time.Second, "the denial is put down", func() bool {
		text := s.output.String()
		return strings.Contains(text, `"logger":"audit"`) && strings.Contains(text, "secret-plans") && strings.Contains(text, "unauthenticated")
	})
}
