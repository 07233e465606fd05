package redis

import (
	"slices"
	"testing"

	"graphy/eventstore/redis/redistest"
)

func TestJudge(t *testing.T) {
	good := map[string]string{"redis_version": "7.0.15", "maxmemory-policy": "noeviction", "aof_enabled": "1", "appendfsync": "everysec", "save": ""}
	tests := []struct {
		name   string
		change map[string]string // "" removes
		want   []Finding         // severity and topic
	}{
		{"good", nil, nil},
		{"fsync always", map[string]string{"appendfsync": "always"}, nil},
		{"newer", map[string]string{"redis_version": "8.2.1"}, nil},
		{"old", map[string]string{"redis_version": "6.2.14"}, []Finding{{Severity: Fatal, Topic: TopicVersion}}},
		{"no version", map[string]string{"redis_version": ""}, []Finding{{Severity: Fatal, Topic: TopicVersion}}},
		{"evicting", map[string]string{"maxmemory-policy": "allkeys-lru"}, []Finding{{Severity: Fatal, Topic: TopicEviction}}},
		{"CONFIG forbidden", map[string]string{"maxmemory-policy": "", "maxmemory_policy": "volatile-ttl", "appendfsync": ""},
			[]Finding{{Severity: Fatal, Topic: TopicEviction}}},
		{"policy untold", map[string]string{"maxmemory-policy": ""}, []Finding{{Severity: Warning, Topic: TopicEviction}}},
		{"fsync left", map[string]string{"appendfsync": "no"}, []Finding{{Severity: Warning, Topic: TopicPersistence}}},
		{"snapshots", map[string]string{"aof_enabled": "0", "save": "3600 1"}, []Finding{{Severity: Warning, Topic: TopicPersistence}}},
		{"nothing", map[string]string{"aof_enabled": "0"}, []Finding{{Severity: Fatal, Topic: TopicPersistence}}},
	}
	for _, test := range tests {
		settings := map[string]string{}
		for name, value := range good {
			settings[name] = value
		}
		for name, value := range test.change {
			if settings[name] = value; value == "" {
				delete(settings, name)
			}
		}
		report := judge(settings)
		var got []Finding
		for _, finding := range report.Problems {
			if finding.Text == "" || finding.Remedy == "" {
				t.Errorf("%s: %+v lacks words", test.name, finding)
			}
			got = append(got, Finding{Severity: finding.Severity, Topic: finding.Topic})
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
		if report.Persistence == "" || report.Durability == "" {
			t.Errorf("%s: %+v lacks words", test.name, report)
		}
	}
}

func TestCheckServers(t *testing.T) {
	tests := []struct {
		name  string
		args  []string
		ready bool
	}{
		{"good", nil, true},
		{"evicting", []string{"--maxmemory-policy", "allkeys-lru"}, false},
		{"no persistence", []string{"--appendonly", "no"}, false},
		{"CONFIG forbidden", []string{"--rename-command", "CONFIG", ""}, true},
		{"CONFIG forbidden, evicting", []string{"--rename-command", "CONFIG", "", "--maxmemory-policy", "volatile-lru"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			report, err := Check(t.Context(), redistest.StartOwn(t, test.args...).Client(t))
			if err != nil || report.Ready() != test.ready {
				t.Errorf("got %+v, %v, want ready %v", report, err, test.ready)
			}
		})
	}
}
