package redis

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// Report says whether a Redis is fit to keep the log, in words for whoever runs it. Of several nodes it describes
// the first by address, and has the problems of all.
type Report struct {
	Version     string // of the server
	Policy      string // what it does when memory is full: maxmemory-policy
	Persistence string // such as "append-only file, fsync every second"
	Durability  string // what a crash of Redis may take with it
	Problems    []Finding
}

// Ready tells whether no problem is Fatal.
func (r Report) Ready() bool {
	return !slices.ContainsFunc(r.Problems, func(f Finding) bool { return f.Severity == Fatal })
}

// Finding is one problem with what to do about it.
type Finding struct {
	Severity Severity
	Topic    Topic
	Text     string
	Remedy   string
}

// Severity of a Finding.
type Severity string

const (
	Fatal   Severity = "fatal"   // the log may be lost or cannot be kept at all: not ready
	Warning Severity = "warning" // weaker than it could be
)

// Topic of a Finding, for callers who weigh topics differently, as development does with TopicPersistence.
type Topic string

const (
	TopicVersion     Topic = "version"
	TopicEviction    Topic = "eviction"
	TopicPersistence Topic = "persistence"
)

// Check looks at the server behind client, every node of a cluster. It reads INFO, and CONFIG where that is allowed.
// Its error means that a server could not be asked.
func Check(ctx context.Context, client rueidis.Client) (Report, error) {
	nodes := client.Nodes()
	var report Report
	for i, address := range slices.Sorted(maps.Keys(nodes)) {
		settings, err := ask(ctx, nodes[address])
		if err != nil {
			return Report{}, fmt.Errorf("check Redis at %s: %w", address, err)
		}
		one := judge(settings)
		if len(nodes) > 1 {
			for j := range one.Problems {
				one.Problems[j].Text = address + ": " + one.Problems[j].Text
			}
		}
		if i == 0 {
			report = one
		} else {
			report.Problems = append(report.Problems, one.Problems...)
		}
	}
	return report, nil
}

// ask returns the fields of INFO, and over them those of CONFIG GET, which managed servers forbid.
func ask(ctx context.Context, node rueidis.Client) (map[string]string, error) {
	settings := map[string]string{}
	for _, section := range []string{"server", "memory", "persistence"} {
		text, err := node.Do(ctx, node.B().Info().Section(section).Build()).ToString()
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				settings[name] = value
			}
		}
	}
	config, err := node.Do(ctx, node.B().ConfigGet().Parameter("maxmemory-policy", "appendfsync", "save").Build()).AsStrMap()
	if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
		return nil, err
	}
	maps.Copy(settings, config)
	return settings, nil
}

// judge draws the report from what a server says of itself.
func judge(settings map[string]string) Report {
	report := Report{Version: settings["redis_version"],
		Policy: cmp.Or(settings["maxmemory-policy"], settings["maxmemory_policy"])}
	if major, err := strconv.Atoi(strings.SplitN(report.Version, ".", 2)[0]); err != nil || major < 7 {
		report.Problems = append(report.Problems, Finding{Fatal, TopicVersion,
			fmt.Sprintf("Redis is of version %q", report.Version), "Use Redis 7.0 or newer."})
	}
	switch report.Policy {
	case "noeviction":
	case "":
		report.Problems = append(report.Problems, Finding{Warning, TopicEviction, "Redis does not tell its eviction policy",
			"Make sure that maxmemory-policy is noeviction."})
	default:
		report.Problems = append(report.Problems, Finding{Fatal, TopicEviction,
			fmt.Sprintf("Redis drops keys when its memory is full (maxmemory-policy %s): graphs would vanish", report.Policy),
			"Set maxmemory-policy to noeviction: redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf."})
	}
	report.judgePersistence(settings)
	return report
}

const enableAOF = "Set appendonly yes and appendfsync everysec: redis-cli CONFIG SET appendonly yes, and in redis.conf."

func (r *Report) judgePersistence(settings map[string]string) {
	save, told := settings["save"]
	switch {
	case settings["aof_enabled"] == "1":
		r.judgeFsync(settings["appendfsync"])
	case save != "":
		r.Persistence, r.Durability = "snapshots only (save "+save+")", "a crash of Redis loses what came after its last snapshot, often minutes"
		r.Problems = append(r.Problems, Finding{Warning, TopicPersistence, "Redis keeps no append-only file: " + r.Durability, enableAOF})
	case !told:
		r.Persistence, r.Durability = "no append-only file; snapshots unknown", "unknown: Redis does not tell its configuration"
		r.Problems = append(r.Problems, Finding{Warning, TopicPersistence, "Redis keeps no append-only file, and does not tell of snapshots", enableAOF})
	default:
		r.Persistence, r.Durability = "none", "a restart of Redis loses everything"
		r.Problems = append(r.Problems, Finding{Fatal, TopicPersistence, "Redis keeps nothing on disk: " + r.Durability, enableAOF})
	}
}

func (r *Report) judgeFsync(policy string) {
	switch policy {
	case "always":
		r.Persistence, r.Durability = "append-only file, fsync at every write", "what was acknowledged survives a crash of the machine"
	case "everysec":
		r.Persistence, r.Durability = "append-only file, fsync every second",
			"a crash of Redis or of its machine loses up to about a second of what was acknowledged"
	case "no":
		r.Persistence, r.Durability = "append-only file, fsync left to the system",
			"what was acknowledged survives a crash of Redis; a crash of the machine loses up to half a minute"
		r.Problems = append(r.Problems, Finding{Warning, TopicPersistence, "Redis leaves fsync to the system: " + r.Durability,
			"Set appendfsync everysec: redis-cli CONFIG SET appendfsync everysec, and in redis.conf."})
	default:
		r.Persistence, r.Durability = "append-only file", "what was acknowledged survives a crash of Redis, that of the machine depends on appendfsync"
	}
}
