package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/embedded"
)

// operatorFlags are the flags that every command of operators has.
type operatorFlags struct {
	server, token, user          string
	redisURL, dataDir, keyPrefix string
	logLevel                     string
	output                       string
	quiet                        bool

	newFolder  bool // the data folder may be one that is not there yet
	awayIsFine bool // the command has something to say of a Redis that is out of reach
}

func (f *operatorFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.server, "server", "",
		"operators' address of a running server, as http://127.0.0.1:3001; empty: work on the Redis, or the data folder, by oneself")
	flags.StringVar(&f.token, "token", "", "bearer token with the claim admin (default: environment variable GRAPHY_TOKEN)")
	flags.StringVar(&f.user, "user", "", "who acts, for the audit, where the server runs in development mode (default: the user of this machine)")
	flags.StringVar(&f.redisURL, "redis-url", "", "the Redis to work on, without --server (GRAPHY_REDIS_URL)")
	flags.StringVar(&f.dataDir, "data-dir", "", "the data folder to work on, without --server and a Redis (GRAPHY_DATA_DIR)")
	flags.StringVar(&f.keyPrefix, "key-prefix", "", "put before every Redis key, without --server (GRAPHY_KEY_PREFIX)")
	flags.StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error: of what is logged without --server")
	flags.StringVarP(&f.output, "output", "o", outputTable, "table, for people (times are UTC), or json: one JSON object, or one on each line")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes; reports and errors alone")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("data-dir")
	for _, own := range []string{"redis-url", "data-dir", "key-prefix"} {
		cmd.MarkFlagsMutuallyExclusive("server", own)
	}
}

// check refuses what no command can go by. It is for PreRunE.
func (f *operatorFlags) check() error {
	if f.output != outputTable && f.output != outputJSON {
		return fmt.Errorf("--output %q: it is %s or %s", f.output, outputTable, outputJSON)
	}
	if f.server != "" {
		if _, err := serverAddress(f.server); err != nil {
			return err
		}
	}
	return nil
}

// serverAddress returns the address of a server as paths are put behind it.
func serverAddress(text string) (string, error) {
	server, err := url.Parse(text)
	if err != nil || server.Host == "" || server.Scheme != "http" && server.Scheme != "https" {
		return "", fmt.Errorf("--server %q is not an address like http://127.0.0.1:3001", text)
	}
	return strings.TrimRight(text, "/"), nil
}

// openOperator connects to the operators' API that the flags and the environment name.
func (c *cli) openOperator(ctx context.Context, f *operatorFlags, cmd *cobra.Command) (*operator, error) {
	if f.server != "" {
		server, err := serverAddress(f.server)
		if err != nil {
			return nil, usageError{err}
		}
		return c.remote(f, server, server), nil
	}
	settings, err := f.settings(cmd)
	if err != nil {
		return nil, usageError{err}
	}
	logger, err := newLogger(f.logLevel)
	if err != nil {
		return nil, usageError{fmt.Errorf("--log-level: %w", err)}
	}
	handler, closeAll, err := c.local(ctx, settings, logger)
	if errors.Is(err, embedded.ErrLocked) {
		return c.lockHolder(ctx, f, settings, cmd)
	}
	switch {
	case errors.Is(err, eventstore.ErrUnavailable):
		return nil, &lostError{err}
	case err != nil && ctx.Err() == nil && settings.RedisURL != "": // a URL that cannot be
		return nil, usageError{err}
	case err != nil:
		return nil, err
	}
	return inside(handler, settings, closeAll, logger), nil
}

// settings are those of serve, for a process that works on the Redis or the folder by itself.
func (f *operatorFlags) settings(cmd *cobra.Command) (*config, error) {
	settings, serve := &config{}, &cobra.Command{}
	if err := settings.bind(serve); err != nil {
		return nil, err
	}
	for _, name := range []string{"redis-url", "data-dir", "key-prefix"} {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed {
			if err := serve.Flags().Set(name, flag.Value.String()); err != nil {
				return nil, err
			}
		}
	}
	settings.settings = settingsOf(serve.Flags())
	settings.awayIsFine = f.awayIsFine
	if _, err := settings.conflictPolicy(); err != nil {
		return nil, err
	}
	if err := firstOf(settings.Keeping.check(), settings.Limits.check()); err != nil {
		return nil, err
	}
	if settings.RedisURL == "" {
		if settings.DataDir == "" {
			return nil, errors.New("there is nothing to work on: the data folder is empty (GRAPHY_DATA_DIR), and there is neither --server nor --redis-url")
		}
		if _, err := os.Stat(settings.DataDir); err != nil && !f.newFolder {
			return nil, fmt.Errorf("there is no data folder %s: give --server, --redis-url or --data-dir", settings.DataDir)
		}
	}
	return settings, nil
}

// inside returns an operator that calls a handler in this process.
func inside(handler http.Handler, settings *config, closeAll func() error, logger *zap.Logger) *operator {
	where := "the data folder " + settings.DataDir
	if settings.RedisURL != "" {
		where = "the Redis at " + redacted(settings.RedisURL)
	}
	carrier := &inProcess{handler: handler}
	return &operator{server: inProcessServer, where: where, http: &http.Client{Transport: carrier}, close: func() error {
		carrier.wait()
		_ = logger.Sync() // standard error cannot be synced everywhere
		return closeAll()
	}}
}

// answerPatience is how long an operator waits for an answer to begin. Long acts begin theirs at once.
const answerPatience = 5 * time.Minute

// remote returns an operator that calls a running server.
func (c *cli) remote(f *operatorFlags, server, where string) *operator {
	carrier := http.DefaultTransport.(*http.Transport).Clone()
	carrier.ResponseHeaderTimeout = answerPatience
	token, user := f.token, f.user
	if token == "" {
		token = c.getenv("GRAPHY_TOKEN")
	}
	if user == "" && token == "" {
		user = operatorName()
	}
	return &operator{server: server, where: where, token: token, user: user, http: &http.Client{Transport: carrier}, close: func() error {
		carrier.CloseIdleConnections()
		return nil
	}}
}
