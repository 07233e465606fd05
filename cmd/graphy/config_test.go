package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestConfigFromEnvironmentAndFlags(t *testing.T) {
	t.Setenv("GRAPHY_ADDR", "127.0.0.1:4000")
	t.Setenv("GRAPHY_ROLES", "api")
	t.Setenv("GRAPHY_SNAPSHOT_EVENTS", "50")
	t.Setenv("GRAPHY_ORIGINS", "http://a.test,http://b.test")
	c, cmd := &config{}, &cobra.Command{}
	if err := c.bind(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags([]string{"--addr", "127.0.0.1:5000", "--data-dir", ""}); err != nil {
		t.Fatal(err)
	}
	if c.Addr != "127.0.0.1:5000" || c.DataDir != "" || c.has("projector") || !c.has("api") || len(c.Origins) != 2 || c.adminChosen || c.SnapshotEvents != 50 {
		t.Errorf("got %+v", c)
	}
	if err := c.check(); err != nil {
		t.Error(err)
	}
}

func TestEmptyIsAChoice(t *testing.T) {
	t.Setenv("GRAPHY_DATA_DIR", "")
	t.Setenv("GRAPHY_ADMIN_ADDR", "")
	t.Setenv("GRAPHY_ADDR", "")
	c := &config{}
	if err := c.bind(&cobra.Command{}); err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "" || c.AdminAddr != "" || c.Addr != "127.0.0.1:3000" {
		t.Errorf("got %+v, want no journal, no operators' address, the default address", c)
	}
}

func TestConfigRefusesWhatCannotBeServed(t *testing.T) {
	fit := config{Addr: "127.0.0.1:3000", AdminAddr: "localhost:3001", Roles: []string{"api"}, Limits: usualLimits(),
		Keeping: keeping{RetainEvery: time.Minute}}
	if err := fit.check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*config){
		"not a loopback address": func(c *config) { c.Addr = "0.0.0.0:3000" },
		"GRAPHY_ADMIN_ADDR":      func(c *config) { c.AdminAddr = "192.0.2.1:3001" },
		"not host:port":          func(c *config) { c.Addr = "3000" },
		`no role "worker"`:       func(c *config) { c.Roles = []string{"worker"} },
		"names no role":          func(c *config) { c.Roles = nil },
		"GRAPHY_JWT_AUDIENCE":    func(c *config) { c.Tokens.Audience = "graphy" },
		"GRAPHY_SNAPSHOT_EVENTS": func(c *config) { c.SnapshotEvents = -1 },
		"GRAPHY_RETAIN":          func(c *config) { c.Keeping.Retain = "events=many" },
		"GRAPHY_RETAIN_EVERY":    func(c *config) { c.Keeping.RetainEvery = time.Millisecond },
		"GRAPHY_VERIFY_SHARE":    func(c *config) { c.Keeping.VerifyShare = 1.5 },
	} {
		c := fit
		spoil(&c)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error with %q", err, name)
		}
	}
}

func TestRedactedHidesTheSecret(t *testing.T) {
	for url, want := range map[string]string{
		"redis://user:p@ss@h:1/2":                          "redis://h:1/2",
		"redis+sentinel://h1:1,h2:2/m?sentinel_password=x": "redis+sentinel://h1:1,h2:2/m",
	} {
		if got := redacted(url); got != want {
			t.Errorf("redacted(%q): got %q, want %q", url, got, want)
		}
	}
}
