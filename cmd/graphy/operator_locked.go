package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"graphy/transport"
)

// lockHolder returns an operator that calls the server which has the data folder, if that is the one at the operators'
// address of the settings. It has to say so itself: another server on this machine may listen there.
func (c *cli) lockHolder(ctx context.Context, f *operatorFlags, settings *config, cmd *cobra.Command) (*operator, error) {
	server := "http://" + dialable(settings.AdminAddr)
	api := c.remote(f, server, "the server at "+server)
	has, err := api.has(ctx, settings.DataDir)
	problem := (*problemError)(nil)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case has:
		if !f.quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "a running server has %s: asking it, at %s\n", settings.DataDir, server)
		}
		return api, nil
	case errors.As(err, &problem) && (problem.Status == http.StatusUnauthorized || problem.Status == http.StatusForbidden):
		return nil, fmt.Errorf("another process has the data folder %s, perhaps the server at %s: %w", settings.DataDir, server, err)
	}
	return nil, &exitError{exitUnreachable, fmt.Errorf("another process has the data folder %s, and it is not the server at %s: "+
		"name its operators' address, which it says at its start (--server http://127.0.0.1:PORT), or stop it", settings.DataDir, server)}
}

// has tells whether the server works on this data folder.
func (o *operator) has(ctx context.Context, folder string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var answer struct {
		Settings []transport.Setting `json:"settings"`
	}
	if err := o.do(ctx, call{method: http.MethodGet, path: "/config"}, &answer); err != nil {
		return false, err
	}
	ours, err := os.Stat(folder)
	if err != nil {
		return false, err
	}
	for _, setting := range answer.Settings {
		if setting.Name != "GRAPHY_DATA_DIR" || !filepath.IsAbs(setting.Value) {
			continue
		}
		theirs, err := os.Stat(setting.Value)
		return err == nil && os.SameFile(ours, theirs), nil
	}
	return false, nil
}

// dialable returns the address to dial for one to listen at: on this machine, where it names all of them.
func dialable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
