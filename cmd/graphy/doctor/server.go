package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"graphy/eventstore/redis"
)

// checkFitness judges version, eviction policy and persistence, as readiness does.
func checkFitness(ctx context.Context, l *look) []finding {
	report, err := redis.Check(ctx, l.opts.Client)
	if err != nil {
		return unknown("Version, policy and persistence of Redis", err)
	}
	well := map[redis.Topic]finding{
		redis.TopicVersion:     good("Redis is of version %s.", report.Version),
		redis.TopicEviction:    good("Redis drops no keys: maxmemory-policy is %s.", report.Policy),
		redis.TopicPersistence: good("Redis keeps the log by %s: %s.", report.Persistence, report.Durability),
	}
	var findings []finding
	for _, topic := range []redis.Topic{redis.TopicVersion, redis.TopicEviction, redis.TopicPersistence} {
		fine := true
		for _, problem := range report.Problems {
			if problem.Topic != topic {
				continue
			}
			found := warn(problem.Text+".", problem.Remedy)
			if problem.Severity == redis.Fatal {
				found = bad(problem.Text+".", problem.Remedy)
			}
			found.Check, fine = string(topic), false
			findings = append(findings, found)
		}
		if fine {
			found := well[topic]
			found.Check = string(topic)
			findings = append(findings, found)
		}
	}
	return findings
}

const seeRedisLog = "See the log of that Redis for the cause, mostly a full disk or too little memory for a fork (vm.overcommit_memory), " +
	"then try again: redis-cli BGSAVE, redis-cli BGREWRITEAOF."

// checkSaves looks at how the last writes to disk went.
func checkSaves(_ context.Context, l *look) (findings []finding) {
	for i := range l.nodes {
		n := &l.nodes[i]
		if n.info["loading"] == "1" {
			findings = append(findings, bad(l.named(n, "Redis is loading its data and serves nobody meanwhile."), "Wait until it has."))
		}
		for _, one := range []struct{ field, what string }{
			{"rdb_last_bgsave_status", "the last snapshot to disk"},
			{"aof_last_write_status", "the last write to the append-only file"},
			{"aof_last_bgrewrite_status", "the last rewrite of the append-only file"},
		} {
			if status := n.info[one.field]; status != "" && status != "ok" {
				findings = append(findings, bad(l.named(n, fmt.Sprintf("Of Redis, %s failed: %s is %s.", one.what, one.field, status)), seeRedisLog))
			}
		}
		if delayed := n.number("aof_delayed_fsync"); delayed > 0 && n.number("uptime_in_seconds") > 0 {
			findings = append(findings, note("%s", l.named(n, fmt.Sprintf("Since it started, Redis has had to wait for the disk %d times.", delayed))))
		}
	}
	if worst(findings) != "error" {
		findings = append(findings, good("The last writes of Redis to its disk went well%s.", l.savedAt()))
	}
	return findings
}

// savedAt says when the oldest of the last snapshots was taken.
func (l *look) savedAt() string {
	var oldest int64
	l.masters(func(n *node) {
		if at := n.number("rdb_last_save_time"); at > 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	})
	if oldest == 0 {
		return ""
	}
	return ", the last snapshot at " + time.Unix(oldest, 0).UTC().Format(time.RFC3339)
}

// checkReplicas looks whether each master has the replicas that are wanted, and how far they are behind.
func checkReplicas(_ context.Context, l *look) (findings []finding) {
	total := 0
	l.masters(func(n *node) {
		connected := int(n.number("connected_slaves"))
		total += connected
		demanded, _ := strconv.Atoi(n.config["min-replicas-to-write"])
		usable := int(n.number("connected_slaves"))
		if text, told := n.info["min_slaves_good_slaves"]; told {
			usable, _ = strconv.Atoi(text)
			demanded = max(demanded, 1)
		}
		wanted := max(l.opts.Replicas, demanded)
		switch {
		case usable < demanded:
			findings = append(findings, bad(l.named(n, fmt.Sprintf("Redis takes no writes: %d of its replicas are near enough, min-replicas-to-write wants %d.", usable, demanded)),
				"Start the replicas again, or lower min-replicas-to-write while they are repaired."))
		case connected < wanted:
			findings = append(findings, warn(l.named(n, fmt.Sprintf("Redis has %d replicas, %d are wanted.", connected, wanted)),
				"Start the missing replicas: until then a failure may take the log with it."))
		}
		findings = append(findings, l.lagging(n)...)
	})
	if len(findings) > 0 {
		return findings
	}
	if total == 0 {
		return []finding{note("Redis has no replicas: when its machine is lost, so is what its last backup does not have.")}
	}
	return []finding{good("%d replicas are connected and near.", total)}
}

const (
	replicaLate  = 10       // seconds without a sign of a replica
	replicaBytes = 64 << 20 // that one may be behind
)

// lagging finds replicas of a master that are far behind.
func (l *look) lagging(n *node) (findings []finding) {
	offset := n.number("master_repl_offset")
	for i := range n.number("connected_slaves") {
		replica := map[string]string{}
		for part := range strings.SplitSeq(n.info["slave"+strconv.FormatInt(i, 10)], ",") {
			name, value, _ := strings.Cut(part, "=")
			replica[name] = value
		}
		lag, _ := strconv.Atoi(replica["lag"])
		at, _ := strconv.ParseInt(replica["offset"], 10, 64)
		if replica["state"] == "online" && lag <= replicaLate && offset-at <= replicaBytes {
			continue
		}
		findings = append(findings, warn(l.named(n, fmt.Sprintf("Replica %s:%s is behind: %s, %d bytes, not heard of for %d s.",
			replica["ip"], replica["port"], replica["state"], max(0, offset-at), lag)),
			"See its log and the network to it; a failover to it now would lose what it does not have."))
	}
	return findings
}

const (
	clockOff    = time.Second
	clockFarOff = 30 * time.Second
)

// checkClock compares the clocks of Redis and of this machine.
func checkClock(ctx context.Context, l *look) (findings []finding) {
	var most time.Duration
	for i := range l.nodes {
		n := &l.nodes[i]
		before := time.Now()
		answer, err := n.client.Do(ctx, n.client.B().Time().Build()).AsStrSlice()
		if err != nil || len(answer) != 2 {
			return append(findings, unknown("The clock of Redis", err)...)
		}
		here := before.Add(time.Since(before) / 2)
		seconds, _ := strconv.ParseInt(answer[0], 10, 64)
		micros, _ := strconv.ParseInt(answer[1], 10, 64)
		off := time.Unix(seconds, micros*1000).Sub(here).Round(time.Millisecond)
		most = max(most, off.Abs())
		text := l.named(n, fmt.Sprintf("The clock of Redis differs from this machine's by %v.", off))
		remedy := "Have both keep time by NTP: writes are ordered by it where conflicts are resolved, and tokens expire by it."
		switch {
		case off.Abs() > clockFarOff:
			findings = append(findings, bad(text, remedy))
		case off.Abs() > clockOff:
			findings = append(findings, warn(text, remedy))
		}
	}
	if len(findings) == 0 {
		findings = append(findings, good("Clocks agree within %v.", most+time.Millisecond))
	}
	return findings
}
