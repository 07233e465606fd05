package doctor

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/transport"
	transportredis "graphy/transport/redis"
)

const aclFile = "../../../eventstore/redis/graphy.acl"

// rules are those that graphy.acl gives the user.
func rules(t testing.TB) []string {
	t.Helper()
	content, err := os.ReadFile(aclFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "user graphy "); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatal("there is no such user")
	return nil
}

// allowed returns the commands that graphy.acl allows.
func allowed(t testing.TB) (commands []string) {
	t.Helper()
	for _, rule := range rules(t) {
		if command, ok := strings.CutPrefix(rule, "+"); ok {
			commands = append(commands, command)
		}
	}
	slices.Sort(commands)
	return commands
}

func startRestricted(t testing.TB) *redistest.Server {
	t.Helper()
	path, err := filepath.Abs(aclFile)
	if err != nil {
		t.Fatal(err)
	}
	return redistest.StartOwn(t, "--include", path)
}

// optionsAs has a Doctor look as the user of graphy.acl.
func optionsAs(t testing.TB, server *redistest.Server) Options {
	return optionsOf(t, "redis://graphy:change-me@"+server.Addr, "graphy:")
}

// setUser changes the rights of the user.
func setUser(t testing.TB, client rueidis.Client, rules ...string) {
	t.Helper()
	if err := client.Do(t.Context(), client.B().AclSetuser().Username("graphy").Rule(rules...).Build()).Error(); err != nil {
		t.Fatalf("%q: %v", rules, err)
	}
}

func TestLeastPrivilege(t *testing.T) {
	server := startRestricted(t)
	diagnosis := diagnose(t, optionsAs(t, server))
	t.Log("\n" + words(diagnosis))
	for _, f := range diagnosis.Findings {
		if f.Severity == transport.SeverityError || f.Severity == transport.SeverityWarning && f.Check != "lag" {
			t.Errorf("%s: %s: %s", f.Check, f.Severity, f.Text)
		}
	}
	nothingLeft(t, server.Client(t), "")
}

func TestLeastPrivilegeInCluster(t *testing.T) {
	path, err := filepath.Abs(aclFile)
	if err != nil {
		t.Fatal(err)
	}
	cluster := redistest.StartCluster(t, "--include", path)
	opts := optionsOf(t, "redis+cluster://graphy:change-me@"+cluster.Masters[0].Addr, "graphy:")
	diagnosis := diagnose(t, opts)
	for _, check := range []string{"redis", "saves", "clock", "rights", "scripts", "pubsub"} {
		want(t, diagnosis, check, transport.SeverityOK, "")
	}
	node := cluster.Masters[1] // each node has rights of its own
	setUser(t, node.Client(t), "-xadd", "-ssubscribe", "-cluster|shards")
	diagnosis = diagnose(t, opts)
	found := of(t, diagnosis, "rights")
	if found.Severity != transport.SeverityError || !strings.Contains(found.Text, node.Addr) ||
		!strings.Contains(found.Remedy, "+xadd") || !strings.Contains(found.Remedy, "+ssubscribe") || !strings.Contains(found.Remedy, "+cluster|shards") {
		t.Errorf("got %s %s %s", found.Severity, found.Text, found.Remedy)
	}
}

func TestLeastPrivilegeBehindSentinels(t *testing.T) {
	watched := redistest.StartSentinels(t)
	for _, server := range []*redistest.Server{watched.Master, watched.Replica} {
		setUser(t, server.Client(t), rules(t)...)
	}
	_, sentinels, _ := strings.Cut(watched.URL, "://")
	opts := optionsOf(t, "redis+sentinel://graphy:change-me@"+sentinels, "graphy:")
	diagnosis := diagnose(t, opts)
	for _, check := range []string{"redis", "saves", "clock", "rights", "scripts", "pubsub"} {
		want(t, diagnosis, check, transport.SeverityOK, "")
	}
	setUser(t, watched.Master.Client(t), "-role")
	want(t, diagnose(t, opts), "rights", transport.SeverityError, "lacks +role.")
}

// TestEveryRightIsMissed takes each right away and has the Doctor name it, and looks whether all of them are there again.
func TestEveryRightIsMissed(t *testing.T) {
	server := startRestricted(t)
	operator := server.Client(t)
	l := &look{Doctor: New(optionsAs(t, server))}
	l.run(t.Context(), check{"redis", always, 1, reachNodes}, l)
	for _, command := range allowed(t) {
		if elsewhere.MatchString(command) {
			continue
		}
		setUser(t, operator, "-"+command)
		found := checkRights(t.Context(), l)
		if len(found) != 1 || found[0].Severity != transport.SeverityError || !strings.Contains(found[0].Text, "lacks +"+command+".") {
			t.Errorf("without %s: got %+v", command, found)
		}
		setUser(t, operator, "+"+command)
	}
	for rules, named := range map[string]string{
		"resetkeys ~other:*": "~graphy:*", "resetchannels &other:*": "&graphy:*",
	} {
		setUser(t, operator, strings.Fields(rules)...)
		found := checkRights(t.Context(), l)
		for len(found) == 1 && strings.Contains(found[0].Text, "not known") { // Redis ends who listens where they may no more
			found = checkRights(t.Context(), l)
		}
		if len(found) != 1 || !strings.Contains(found[0].Text, named) {
			t.Errorf("with %s: got %+v, want %s to be named", rules, found, named)
		}
		setUser(t, operator, "resetkeys", "~graphy:*", "resetchannels", "&graphy:*")
	}
	if found := checkRights(t.Context(), l); len(found) != 1 || found[0].Severity != transport.SeverityOK {
		t.Errorf("with all rights: got %+v", found)
	}
	nothingLeft(t, operator, "")
}

// TestRightsWithoutPrefix: where the keys have no prefix, each kind of key and channel has a pattern, as graphy.acl says.
func TestRightsWithoutPrefix(t *testing.T) {
	server := startRestricted(t)
	operator := server.Client(t)
	content, err := os.ReadFile(aclFile)
	if err != nil {
		t.Fatal(err)
	}
	patterns := regexp.MustCompile(`[~&][a-z]+(:\*)?( |\n)`).FindAllString(strings.SplitAfter(string(content), "write in the place of ~graphy:* and &graphy:*")[1], -1)
	var kinds []string
	for _, pattern := range patterns {
		if !strings.Contains(pattern, "graphy") {
			kinds = append(kinds, strings.TrimSpace(pattern))
		}
	}
	setUser(t, operator, append([]string{"resetkeys", "resetchannels"}, kinds...)...)
	opts := optionsOf(t, "redis://graphy:change-me@"+server.Addr, "")
	diagnosis := diagnose(t, opts)
	want(t, diagnosis, "rights", transport.SeverityOK, "")
	want(t, diagnosis, "scripts", transport.SeverityOK, "")
	want(t, diagnosis, "pubsub", transport.SeverityOK, "")
	l := &look{Doctor: New(opts)}
	l.run(t.Context(), check{"redis", always, 1, reachNodes}, l)
	for i, kind := range kinds {
		rest := slices.Delete(slices.Clone(kinds), i, i+1)
		setUser(t, operator, append([]string{"resetkeys", "resetchannels"}, rest...)...)
		found := checkRights(t.Context(), l)
		for len(found) == 1 && strings.Contains(found[0].Text, "not known") { // Redis ends who listens where they may no more
			found = checkRights(t.Context(), l)
		}
		if len(found) != 1 || !strings.Contains(found[0].Text, kind) {
			t.Errorf("without %s: got %+v", kind, found)
		}
	}
	if len(kinds) != 17 {
		t.Errorf("%d kinds: %q", len(kinds), kinds)
	}
}

// TestEveryRightIsUsed has a server count what Graphy does, without trying rights: there is none that it does not use.
func TestEveryRightIsUsed(t *testing.T) {
	server := startRestricted(t)
	opts := optionsAs(t, server)
	l := &look{Doctor: New(opts)}
	l.run(t.Context(), check{"redis", always, 1, reachNodes}, l)
	if err := unfinished(t, opts); err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.name != "rights" {
			l.run(t.Context(), c, l)
		}
	}
	kick(t, opts)
	used := commandsOf(t, server.Client(t))
	for _, command := range allowed(t) {
		if !slices.Contains(used, command) && !elsewhere.MatchString(command) {
			t.Errorf("%s is allowed, and was not used", command)
		}
	}
}

// unfinished leaves a graph whose log is being rewritten.
func unfinished(t testing.TB, opts Options) error {
	t.Helper()
	r := &roundTrip{graph: "g"}
	if err := r.history(); err != nil {
		return err
	}
	if _, err := opts.Store.Append(t.Context(), r.graph, eventstore.Position{}, r.events); err != nil {
		return err
	}
	rewriting, err := opts.Store.Rewrite(t.Context(), r.graph, eventstore.Base{})
	if err != nil {
		return err
	}
	return rewriting.Write(t.Context(), r.events)
}

// TestScriptsUseNoOtherCommand reads every script: what they call is allowed, and tried by the Doctor.
func TestScriptsUseNoOtherCommand(t *testing.T) {
	call := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	var tried []string
	for _, one := range rights("key", "channel") {
		tried = append(tried, one.rule)
	}
	scripts := 0
	err := filepath.WalkDir("../../..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".lua" {
			return err
		}
		scripts++
		content, err := os.ReadFile(path)
		for _, match := range call.FindAllStringSubmatch(string(content), -1) {
			if command := strings.ToLower(match[1]); !slices.Contains(allowed(t), command) || !slices.Contains(tried, command) {
				t.Errorf("%s: %s is not among the rights", path, command)
			}
		}
		return err
	})
	if err != nil || scripts < 10 {
		t.Errorf("%d scripts, %v", scripts, err)
	}
}

// elsewhere are commands that single servers are not sent.
var elsewhere = regexp.MustCompile(`^(cluster\|.*|spublish|ssubscribe|sunsubscribe|role)$`)

// kick ends the connections of a client that nobody has.
func kick(t testing.TB, opts Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	kicks := transportredis.NewKicks(opts.Client, opts.Store)
	done := make(chan struct{})
	go func() {
		defer close(done)
		kicks.Subscribe(ctx, func(transport.Kick) int { return 7 })
	}()
	defer func() { cancel(); <-done }()
	for ended := 0; ended != 7; { // until the subscription stands
		var err error
		if ended, err = kicks.Kick(t.Context(), transport.Kick{ClientID: "c"}); err != nil {
			t.Fatal(err)
		}
	}
}

// commandsOf returns the commands that a server was given.
func commandsOf(t testing.TB, client rueidis.Client) (commands []string) {
	t.Helper()
	text, err := client.Do(t.Context(), client.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range fields(text) {
		if command, ok := strings.CutPrefix(name, "cmdstat_"); ok && !strings.HasPrefix(value, "calls=0,") {
			commands = append(commands, command)
		}
	}
	return commands
}
