package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"graphy/transport"
)

// config is what serve is told, by environment or, with precedence, by flags.
type config struct {
	Addr      string   `env:"GRAPHY_ADDR" envDefault:"127.0.0.1:3000"`
	AdminAddr string   `env:"GRAPHY_ADMIN_ADDR" envDefault:"127.0.0.1:3001"`
	RedisURL  string   `env:"GRAPHY_REDIS_URL"`
	DataDir   string   `env:"GRAPHY_DATA_DIR" envDefault:"./graphy-data"`
	Roles     []string `env:"GRAPHY_ROLES" envDefault:"api,projector,realtime"`
	KeyPrefix string   `env:"GRAPHY_KEY_PREFIX"`
	LogLevel  string   `env:"GRAPHY_LOG_LEVEL" envDefault:"info"`
	Origins   []string `env:"GRAPHY_ORIGINS"`

	ConflictPolicy string `env:"GRAPHY_CONFLICT_POLICY"`
	SnapshotEvents int    `env:"GRAPHY_SNAPSHOT_EVENTS" envDefault:"1000"`

	Limits limits `envPrefix:"GRAPHY_MAX_"`

	Tokens  tokens  `envPrefix:"GRAPHY_"`
	Rates   rates   `envPrefix:"GRAPHY_"`
	Keeping keeping `envPrefix:"GRAPHY_"`

	TrustedProxies []string `env:"GRAPHY_TRUSTED_PROXIES"`

	settings []transport.Setting // what holds and where it comes from

	awayIsFine  bool        // of an operator's command: it has something to say of a Redis that is out of reach
	adminChosen bool        // AdminAddr was given, not defaulted
	audit       *zap.Logger // nil: with everything else
}

// bind makes a flag of every field that has one, with the environment's value as its default. It returns what is wrong
// with the environment, to be reported once a command runs.
func (c *config) bind(cmd *cobra.Command) error {
	c.Limits = usualLimits()
	err := env.ParseWithOptions(c, env.Options{OnSet: func(tag string, _ any, isDefault bool) {
		if tag == "GRAPHY_ADMIN_ADDR" {
			c.adminChosen = !isDefault
		}
	}})
	// Empty is a choice for these two; the library takes it for none.
	for name, field := range map[string]*string{"GRAPHY_DATA_DIR": &c.DataDir, "GRAPHY_ADMIN_ADDR": &c.AdminAddr} {
		if value, set := os.LookupEnv(name); set && value == "" {
			*field = ""
		}
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Addr, "addr", c.Addr, "address of clients: HTTP and WebSocket (GRAPHY_ADDR)")
	flags.StringVar(&c.AdminAddr, "admin-addr", c.AdminAddr, "address of operators: metrics and health; empty: none (GRAPHY_ADMIN_ADDR)")
	flags.StringVar(&c.RedisURL, "redis-url", c.RedisURL,
		"redis://, rediss://, redis+cluster://h1:p,h2:p or redis+sentinel://…; empty: a Redis inside the process (GRAPHY_REDIS_URL)")
	flags.StringVar(&c.DataDir, "data-dir", c.DataDir,
		"folder of the journal of the Redis inside the process; empty: memory only (GRAPHY_DATA_DIR)")
	flags.StringSliceVar(&c.Roles, "roles", c.Roles, "what this process does: api, projector, realtime (GRAPHY_ROLES)")
	flags.StringVar(&c.KeyPrefix, "key-prefix", c.KeyPrefix, "put before every Redis key (GRAPHY_KEY_PREFIX)")
	flags.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error (GRAPHY_LOG_LEVEL)")
	flags.StringSliceVar(&c.Origins, "origins", c.Origins,
		"exact origins of browsers that may call; empty: the server's own, and loopback ones (GRAPHY_ORIGINS)")
	flags.StringVar(&c.ConflictPolicy, "conflict-policy", c.ConflictPolicy,
		"path pattern → strategy over the defaults, a JSON object or @file (GRAPHY_CONFLICT_POLICY)")
	flags.IntVar(&c.SnapshotEvents, "snapshot-events", c.SnapshotEvents,
		"events of a graph from one snapshot of its state to the next; 0: no snapshots (GRAPHY_SNAPSHOT_EVENTS)")
	flags.Lookup("redis-url").DefValue = "" // help would show its password
	c.Limits.bind(cmd)
	flags.StringSliceVar(&c.TrustedProxies, "trusted-proxies", c.TrustedProxies,
		"addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed (GRAPHY_TRUSTED_PROXIES)")
	c.Tokens.bind(cmd)
	c.Rates.bind(cmd)
	c.Keeping.bind(cmd)
	return err
}

var allRoles = []string{"api", "projector", "realtime"}

// check refuses what cannot be served, in words that say what to change.
func (c *config) check() error {
	if len(c.Roles) == 0 {
		return fmt.Errorf("GRAPHY_ROLES names no role: choose among %s", strings.Join(allRoles, ", "))
	}
	for _, role := range c.Roles {
		if !slices.Contains(allRoles, role) {
			return fmt.Errorf("GRAPHY_ROLES: there is no role %q: choose among %s", role, strings.Join(allRoles, ", "))
		}
	}
	if c.SnapshotEvents < 0 {
		return fmt.Errorf("GRAPHY_SNAPSHOT_EVENTS is %d: give a number of events, or 0 for no snapshots", c.SnapshotEvents)
	}
	if err := c.Limits.check(); err != nil {
		return err
	}
	if err := c.Rates.check(); err != nil {
		return err
	}
	if err := c.Keeping.check(); err != nil {
		return err
	}
	if _, err := parseProxies(c.TrustedProxies); err != nil {
		return err
	}
	if err := c.Tokens.check(); err != nil {
		return err
	}
	if !c.Tokens.areOff() {
		return nil
	}
	if err := checkLoopback("GRAPHY_ADDR", c.Addr); err != nil {
		return err
	}
	if c.AdminAddr == "" {
		return nil
	}
	return checkLoopback("GRAPHY_ADMIN_ADDR", c.AdminAddr)
}

// checkLoopback refuses an address that others can reach: in development mode everybody may do everything.
func checkLoopback(name, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %q is not host:port: %w", name, addr, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s %q is not a loopback address: without tokens everybody who can reach the server may do everything, "+
		"so it listens on 127.0.0.1 only; set GRAPHY_JWT_SECRET or GRAPHY_JWKS_URL to serve others", name, addr)
}

func (c *config) has(role string) bool { return slices.Contains(c.Roles, role) }

// newLogger logs to stderr: JSON lines, times in ISO 8601.
func newLogger(level string) (*zap.Logger, error) {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("GRAPHY_LOG_LEVEL: %w", err)
	}
	return loggerSettings(parsed).Build()
}

// newAudit logs what is put down for the audit: all of it, whatever else is logged.
func newAudit() (*zap.Logger, error) {
	settings := loggerSettings(zapcore.InfoLevel)
	settings.Sampling = nil
	return settings.Build()
}

func loggerSettings(level zapcore.Level) zap.Config {
	settings := zap.NewProductionConfig()
	settings.Level = zap.NewAtomicLevelAt(level)
	settings.EncoderConfig.EncodeTime = zapcore.ISO8601TimeEncoder
	settings.DisableCaller = true
	return settings
}
