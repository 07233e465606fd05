package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// refusal finds what Redis does not let its user do, in the words of its refusal. Inside of scripts it does not say which
// command is meant.
var refusal = regexp.MustCompile(`NOPERM .*?(?:run the '([^']+)' command|access one of the (keys|channels)|run the|access)`)

// missingRight tells whether err is a refusal for want of a right, and what to do about it.
func missingRight(err error) (remedy string, refused bool) {
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	if !ok {
		return "", false
	}
	text := answer.Error()
	if match := refusal.FindStringSubmatch(text); match != nil && match[1] != "" {
		return grant("+" + match[1]), true
	}
	if strings.HasPrefix(text, "NOPERM") || strings.Contains(text, "The user executing the script can't") {
		return "Give the user of GRAPHY_REDIS_URL the rights that eventstore/redis/graphy.acl lists; the check \"rights\" says which are missing.", true
	}
	return "", false
}

// grant says how to give the user a right.
func grant(rules ...string) string {
	return "Give the user of GRAPHY_REDIS_URL the right: ACL SETUSER <user> " + strings.Join(rules, " ") + " (see eventstore/redis/graphy.acl)."
}

// right is a command that Graphy needs, and a harmless use of it.
type right struct {
	rule string // as ACLs have it: "xadd", "memory|usage"
	args []string
}

// rights are all commands that Graphy uses on a Redis, by itself or in scripts. key is one of the scratch keyspace, which
// the first command makes a string and the last removes: commands of other types do nothing to it. channel is one that
// nobody listens to.
func rights(key, channel string) []right {
	const missing = "0000000000000000000000000000000000000000" // no script has that sum
	life := strconv.FormatInt(scratchLife.Milliseconds(), 10)
	return []right{
		{"set", []string{key, "", "PX", life}}, {"get", []string{key}}, {"exists", []string{key}},
		{"persist", []string{key}}, {"pexpire", []string{key, life}}, {"pttl", []string{key}}, {"memory|usage", []string{key}},
		{"ping", nil}, {"info", nil}, {"time", nil}, {"publish", []string{channel, ""}},
		{"eval", []string{"return 1", "1", key}}, {"evalsha", []string{missing, "1", key}},
		{"eval_ro", []string{"return 1", "1", key}}, {"evalsha_ro", []string{missing, "1", key}},
		{"hget", []string{key, "a"}}, {"hmget", []string{key, "a"}}, {"hgetall", []string{key}}, {"hkeys", []string{key}},
		{"hlen", []string{key}}, {"hexists", []string{key, "a"}}, {"hscan", []string{key, "0"}}, {"hset", []string{key, "a", ""}},
		{"hdel", []string{key, "a"}}, {"hincrby", []string{key, "a", "1"}},
		{"sadd", []string{key, "a"}}, {"srem", []string{key, "a"}}, {"smembers", []string{key}},
		{"lpush", []string{key, "a"}}, {"rpush", []string{key, "a"}}, {"lrange", []string{key, "0", "0"}}, {"ltrim", []string{key, "0", "0"}},
		{"zadd", []string{key, "0", "a"}}, {"zrem", []string{key, "a"}}, {"zcard", []string{key}}, {"zscore", []string{key, "a"}},
		{"zrange", []string{key, "0", "0"}}, {"zrangebylex", []string{key, "-", "+", "LIMIT", "0", "1"}},
		{"zrangebyscore", []string{key, "0", "1"}}, {"zrevrangebyscore", []string{key, "1", "0"}}, {"zremrangebyscore", []string{key, "0", "0"}},
		{"xadd", []string{key, "1-0", "a", ""}}, {"xlen", []string{key}}, {"xdel", []string{key, "1-0"}},
		{"xrange", []string{key, "-", "+", "COUNT", "1"}}, {"xrevrange", []string{key, "+", "-", "COUNT", "1"}},
		{"xtrim", []string{key, "MAXLEN", "0"}},
		{"rename", []string{key, key}}, {"getdel", []string{key}}, {"del", []string{key}}, {"unlink", []string{key}},
	}
}

// furtherRights are those that only clusters, or masters behind sentinels, need.
func furtherRights(mode rueidis.ClientMode, channel string) []right {
	switch mode {
	case rueidis.ClientModeCluster:
		return []right{{"cluster|slots", nil}, {"cluster|shards", nil}, {"spublish", []string{channel, ""}}}
	case rueidis.ClientModeSentinel:
		return []right{{"role", nil}}
	}
	return nil
}

// checkRights tries every command that Graphy needs, every kind of key, and its channels, on every node: each has its own
// list of rights.
func checkRights(ctx context.Context, l *look) []finding {
	scratch := l.scratchKeys()
	key, channel := scratch.Events("g"), scratch.EventsChannel("g")
	defer func() { _ = l.clear(ctx, []string{key}) }()
	list := append(rights(key, channel), furtherRights(l.opts.Client.Mode(), channel)...)
	missing := make([][]string, len(l.nodes))
	failures := make([]error, len(l.nodes))
	var trying sync.WaitGroup
	for i := range l.nodes {
		trying.Go(func() {
			missing[i], failures[i] = l.tryRights(ctx, &l.nodes[i], list, channel)
		})
	}
	trying.Wait()
	var findings []finding
	for i := range l.nodes {
		n := &l.nodes[i]
		if failures[i] != nil {
			findings = append(findings, unknown(l.named(n, "The rights of the user"), failures[i])...)
		}
		if len(missing[i]) > 0 {
			findings = append(findings, bad(l.named(n, fmt.Sprintf("The user of Redis lacks %s.", strings.Join(missing[i], ", "))), grant(missing[i]...)))
		}
	}
	if len(findings) == 0 {
		findings = append(findings, good("The user of Redis may do all that is needed (%d commands, keys and channels).", len(list)))
	}
	return findings
}

// tryRights returns the rules that the user lacks on a node.
func (l *look) tryRights(ctx context.Context, n *node, list []right, channel string) (missing []string, err error) {
	for _, one := range list {
		command := append(strings.Split(one.rule, "|"), one.args...)
		err := n.client.Do(ctx, n.client.B().Arbitrary(command...).Build()).Error()
		switch match, failed := l.refused(err); {
		case failed:
			return missing, err
		case match == "command":
			missing = append(missing, "+"+one.rule)
		}
	}
	for pattern, key := range l.patterns() {
		match, failed := l.refused(n.client.Do(ctx, n.client.B().Exists().Key(key).Build()).Error())
		if failed {
			return missing, err
		}
		if match == "keys" {
			missing = append(missing, "~"+pattern)
		}
	}
	for pattern, channel := range l.channels(channel) {
		missing = append(missing, l.trySubscribing(ctx, n, pattern, channel)...)
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}

// refused tells what Redis refused: "command", "keys", "channels", or nothing. Answers that are errors of another kind
// show that the right is there; failed is for those that are no answers.
func (l *look) refused(err error) (what string, failed bool) {
	if err == nil || isNil(err) {
		return "", false
	}
	if _, answered := errors.AsType[*rueidis.RedisError](err); !answered {
		return "", true
	}
	match := refusal.FindStringSubmatch(err.Error())
	switch {
	case match == nil:
		return "", false
	case match[1] != "":
		return "command", false
	}
	return match[2], false
}

// patterns returns, by the pattern that a user needs, a key of each kind that Graphy keeps. With a prefix one pattern is
// enough.
func (l *look) patterns() map[string]string {
	keys := l.keys
	if keys.Prefix != "" {
		return map[string]string{escapePattern(keys.Prefix) + "*": keys.DeadLetters()}
	}
	return map[string]string{
		"graph:*": keys.State("g"), "graphs:*": keys.GraphsActive(), "operation:*": keys.Operation("o"), "user:*": keys.UserCommands("u"),
		"client:*": keys.Client("c"), "ticket:*": keys.Ticket("t"), "rate:*": keys.Rate("r", "k"), "projectors": keys.Projectors(),
		"lease:*": keys.Lease("l"), "deadletters": keys.DeadLetters(), "deadletters:*": keys.DeadLettersClosed(), "kick:*": keys.Kick("k"),
		scratchPrefix + "*": l.scratchKeys().State("g"),
	}
}

// channels returns, by the pattern that a user needs, a channel of each kind; scratch is one.
func (l *look) channels(scratch string) map[string]string {
	keys := l.keys
	if keys.Prefix != "" {
		return map[string]string{escapePattern(keys.Prefix) + "*": scratch}
	}
	return map[string]string{"graph:*": keys.EventsChannel("nobody"), "appends": keys.AppendsChannel(), "kicks": keys.KicksChannel(),
		scratchPrefix + "*": scratch}
}

// escapePattern makes a pattern of a text that stands for itself.
func escapePattern(text string) string {
	return regexp.MustCompile(`[*?\[\]\\]`).ReplaceAllString(text, `\$0`)
}

// trySubscribing subscribes to a channel and ends that at once. Whoever listens does so by other connections.
func (l *look) trySubscribing(ctx context.Context, n *node, pattern, channel string) (missing []string) {
	builders := map[string][2]rueidis.Completed{
		"subscribe": {n.client.B().Subscribe().Channel(channel).Build(), n.client.B().Unsubscribe().Channel(channel).Build()}}
	if l.opts.Client.Mode() == rueidis.ClientModeCluster {
		builders["ssubscribe"] = [2]rueidis.Completed{
			n.client.B().Ssubscribe().Channel(channel).Build(), n.client.B().Sunsubscribe().Channel(channel).Build()}
	}
	for name, commands := range builders {
		hooked, cancel := context.WithCancel(ctx)
		hooked = rueidis.WithOnSubscriptionHook(hooked, func(rueidis.PubSubSubscription) { cancel() })
		err := n.client.Receive(hooked, commands[0], func(rueidis.PubSubMessage) {})
		cancel()
		switch what, _ := l.refused(err); what {
		case "command":
			missing = append(missing, "+"+name)
		case "channels":
			missing = append(missing, "&"+pattern)
		}
		unsubscribe := strings.Replace(name, "subscribe", "unsubscribe", 1)
		if what, _ := l.refused(n.client.Do(ctx, commands[1]).Error()); what == "command" {
			missing = append(missing, "+"+unsubscribe)
		}
	}
	return missing
}
