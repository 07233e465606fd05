package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"graphy/transport"
)

func (c *cli) configCommand() *cobra.Command {
	flags, settings := &operatorFlags{}, &config{}
	var environment error
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show what serve would go by: every setting, its value and where it comes from",
		Long: `Show every setting that graphy serve would go by in this environment and with these flags: its value, and whether that is
the default, or comes from the environment or a flag. Secrets are hidden. It needs no server; what a running one goes by
is at GET /api/v2/admin/config.

Variables that look like settings and are none are named on standard error, with the nearest that is one.

Exit codes: 0; 1 if serve would refuse to start with this, and why; see graphy help exit-codes.`,
		Example: "  graphy config\n" +
			"  GRAPHY_ROLES=api graphy config --output json | jq 'select(.source != \"default\")'",
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if environment != nil {
				return environment
			}
			return flags.check()
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			listed := settingsOf(cmd.Flags())
			if err := flags.printer(cmd.OutOrStdout()).settings(listed); err != nil {
				return err
			}
			if !flags.quiet {
				unknown := strangers(os.Environ(), listed)
				for _, name := range slices.Sorted(maps.Keys(unknown)) {
					text := fmt.Sprintf("warning: %s is no setting and has no effect", name)
					if like := unknown[name]; like != "" {
						text += "; did you mean " + like + "?"
					}
					fmt.Fprintln(cmd.ErrOrStderr(), plain(text))
				}
			}
			if err := settings.startable(); err != nil {
				return &exitError{exitWrong, fmt.Errorf("serve would not start: %w", err)}
			}
			return nil
		},
	}
	environment = settings.bind(cmd)
	cmd.Flags().StringVarP(&flags.output, "output", "o", outputTable, "table, for people, or json: a JSON object on each line")
	cmd.Flags().BoolVarP(&flags.quiet, "quiet", "q", false, "no warnings")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// startable tells whether serve would start with these settings, as far as they tell.
func (c *config) startable() error {
	if err := c.check(); err != nil {
		return err
	}
	if _, err := c.conflictPolicy(); err != nil {
		return err
	}
	if !c.Tokens.areOff() {
		if _, err := c.Tokens.verifier(nil); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) settings(settings []transport.Setting) error {
	if p.json {
		for _, setting := range settings {
			if err := p.value(setting); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable("SETTING", "VALUE", "SOURCE")
	for _, setting := range settings {
		t.add(setting.Name, setting.Value, setting.Source)
	}
	return p.print(t, "there are no settings")
}
