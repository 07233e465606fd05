package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/transport"
)

func (c *cli) doctorCommand() *cobra.Command {
	flags := &operatorFlags{awayIsFine: true}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the whole installation, with a remedy for each finding",
		Long: `Examine Redis (version, policy, persistence, memory, replicas, clock, rights), every script on a scratch graph, and the
graphs (lag, parked ones, dead letters, stale sessions, the archive). Each finding comes with its remedy, the worst first.

Exit codes: 0 all is well; 1 there are errors; 5 there are warnings, and no errors; see graphy help exit-codes.`,
		Example: "  graphy doctor --server http://127.0.0.1:3001\n" +
			"  GRAPHY_REDIS_URL=redis://127.0.0.1:6379 graphy doctor --output json | jq .severity",
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return flags.check() },
		RunE: c.operate(flags, func(ctx context.Context, a *act, _ []string) error {
			var raw jsontext.Value
			if err := a.do(ctx, call{method: http.MethodGet, path: "/doctor"}, &raw); err != nil {
				return err
			}
			var found transport.Diagnosis
			err := json.Unmarshal(raw, &found)
			switch {
			case err != nil:
				return a.misunderstood(err)
			case a.out.json:
				err = a.out.object(raw)
			default:
				err = a.out.diagnosis(&found)
			}
			if err != nil {
				return err
			}
			switch found.Severity {
			case transport.SeverityError:
				return &exitError{code: exitWrong}
			case transport.SeverityWarning:
				return &exitError{code: exitWarnings}
			}
			return nil
		}),
	}
	flags.register(cmd)
	return cmd
}

// severities are those of findings, the worst first.
var severities = []string{transport.SeverityError, transport.SeverityWarning, transport.SeverityInfo, transport.SeverityOK}

// diagnosis shows findings to people, the worst first.
func (p *printer) diagnosis(found *transport.Diagnosis) error {
	counts := map[string]int{}
	rank := func(f transport.Finding) int { return slices.Index(severities, f.Severity) }
	slices.SortStableFunc(found.Findings, func(a, b transport.Finding) int { return rank(a) - rank(b) })
	t := newTable("SEVERITY", "CHECK", "FINDING")
	for _, finding := range found.Findings {
		counts[finding.Severity]++
		t.add(finding.Severity, finding.Check, finding.Text)
		if finding.Remedy != "" && finding.Severity != transport.SeverityOK {
			t.rows = append(t.rows, []string{"", "", plain("remedy: " + finding.Remedy)})
		}
	}
	if err := p.print(t, "nothing was checked"); err != nil {
		return err
	}
	p.linef("%s", fmt.Sprintf("%s, %s, %s", plural(counts[transport.SeverityError], "error", "errors"),
		plural(counts[transport.SeverityWarning], "warning", "warnings"), plural(len(found.Findings), "finding", "findings")))
	return nil
}
