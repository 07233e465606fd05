package upkeep_test

import (
	"testing"
	"time"

	"graphy/projection/upkeep"
)

func TestParsePolicy(t *testing.T) {
	tests := []struct {
		text string
		want upkeep.Policy
		ok   bool
	}{
		{"", upkeep.Policy{}, true},
		{" ", upkeep.Policy{}, true},
		{"events=10000", upkeep.Policy{Events: 10000}, true},
		{"age=720h", upkeep.Policy{Age: 720 * time.Hour}, true},
		{"events=10000,age=720h", upkeep.Policy{Events: 10000, Age: 720 * time.Hour}, true},
		{"age=1h30m, events=1", upkeep.Policy{Events: 1, Age: 90 * time.Minute}, true},
		{"events=0", upkeep.Policy{}, false},
		{"events=-1", upkeep.Policy{}, false},
		{"events=many", upkeep.Policy{}, false},
		{"events", upkeep.Policy{}, false},
		{"events=1,events=2", upkeep.Policy{}, false},
		{"age=30", upkeep.Policy{}, false},
		{"age=1s", upkeep.Policy{}, false},
		{"age=-1h", upkeep.Policy{}, false},
		{"size=1", upkeep.Policy{}, false},
		{"events=1,", upkeep.Policy{}, false},
		{",", upkeep.Policy{}, false},
	}
	for _, test := range tests {
		got, err := upkeep.ParsePolicy(test.text)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("%q: got %+v, %v, want %+v", test.text, got, err, test.want)
		}
		if again, err := upkeep.ParsePolicy(got.String()); err != nil || again != got {
			t.Errorf("%q: %q reads back as %+v, %v", test.text, got, again, err)
		}
		if got.KeepsAll() != (got == upkeep.Policy{}) {
			t.Errorf("%q: keeps all: %t", test.text, got.KeepsAll())
		}
	}
}
