package transport

import (
	"testing"
	"time"

	"graphy/command"
	"graphy/eventstore"
)

func TestAppendOutcome(t *testing.T) {
	tests := []struct {
		outcome command.Outcome
		want    string
	}{
		{command.Outcome{OperationID: "o", Version: 42, Hash: "6b", Status: "processing", Result: []byte(`{"id":"n"}`)},
			`{"accepted":true,"operationId":"o","version":42,"hash":"6b","status":"processing","estimatedProcessingTime":3,"result":{"id":"n"}}`},
		{command.Outcome{OperationID: "o", Version: 1, Hash: "6b", Status: "completed", Duplicate: true},
			`{"accepted":true,"operationId":"o","version":1,"hash":"6b","status":"completed","estimatedProcessingTime":0,"duplicate":true}`},
		{command.Outcome{OperationID: "o", Version: 1, Hash: "6b", Status: "conflict", Conflict: []byte(`{"paths":[]}`)},
			`{"accepted":true,"operationId":"o","version":1,"hash":"6b","status":"conflict","estimatedProcessingTime":3,"conflict":{"paths":[]}}`},
		{command.Outcome{OperationID: "o", Version: 7, Hash: "6b", Status: "processing", Result: []byte(`{"changes":[]}`), Undoes: []eventstore.Version{4, 6}, Duplicate: true},
			`{"accepted":true,"operationId":"o","version":7,"hash":"6b","status":"processing","estimatedProcessingTime":3,"result":{"changes":[]},"undoes":[4,6],"skipped":[],"duplicate":true}`},
		{command.Outcome{OperationID: "o", Version: 8, Hash: "6b", Status: "completed", Redoes: []eventstore.Version{7}, Skipped: []byte(`[{"path":"/a"}]`)},
			`{"accepted":true,"operationId":"o","version":8,"hash":"6b","status":"completed","estimatedProcessingTime":0,"redoes":[7],"skipped":[{"path":"/a"}]}`},
		{command.Outcome{OperationID: "o", Version: 8, Status: "dry-run", DryRun: true, Result: []byte(`{"id":"n"}`)},
			`{"accepted":true,"operationId":"o","version":8,"status":"dry-run","estimatedProcessingTime":0,"result":{"id":"n"}}`},
	}
	var meter lagMeter
	for _, test := range tests {
		if got := string(appendOutcome(nil, &test.outcome, meter.estimate())); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestLagMeterFollowsWhatIsSeen(t *testing.T) {
	var meter lagMeter
	for range 100 {
		meter.observe(20 * time.Millisecond)
	}
	if got := meter.estimate(); got != 20 {
		t.Errorf("got %d ms, want 20", got)
	}
	for range 100 {
		meter.observe(10 * time.Microsecond)
	}
	if got := meter.estimate(); got != 1 {
		t.Errorf("got %d ms, want at least 1", got)
	}
}
