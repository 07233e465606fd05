package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// line is one line of the table. What is empty is printed as a dash.
type line struct {
	what, figure, ratio string
	cpu                 float64 // µs; 0: unknown, or not asked for
	target              string
	met                 bool // of a line with a target
}

// report is the table, and what it was measured on.
type report struct {
	machine, command, method string
	begun                    time.Time
	lines                    []line

	lab       *lab
	used, all time.Duration // of foreignLoad at the beginning
}

func newReport(ctx context.Context, l *lab, command string) *report {
	r := &report{lab: l, machine: l.machine(ctx), command: strings.TrimSpace(command), begun: time.Now(),
		method: fmt.Sprintf("medians of %d rounds of %v, each after a warm-up; generator, servers and Redis share the machine",
			l.opts.rounds, l.opts.span)}
	r.used, r.all = l.foreignLoad()
	return r
}

func (r *report) add(lines ...line) { r.lines = append(r.lines, lines...) }

func (r *report) print(out io.Writer) {
	fmt.Fprintln(out, "| What | Figure | Of the reference | CPU µs each | Target | Met |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|")
	for _, line := range r.lines {
		cpu, met := "", ""
		if line.cpu > 0 {
			cpu = fmt.Sprintf("%.0f", line.cpu)
		}
		if line.target != "" {
			met = "**no**"
			if line.met {
				met = "yes"
			}
		}
		cells := []string{line.what, line.figure, line.ratio, cpu, line.target, met}
		for i, cell := range cells {
			if cell == "" {
				cells[i] = "–"
			}
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
	}
	fmt.Fprintf(out, "\nMachine: %s.  \n", r.machine)
	fmt.Fprintf(out, "Method: %s; %s, took %.0f s.  \n", r.method, r.begun.UTC().Format("2006-01-02 15:04 UTC"), time.Since(r.begun).Seconds())
	if used, all := r.lab.foreignLoad(); all > r.all {
		fmt.Fprintf(out, "Others used %.0f %% of the machine meanwhile.  \n", 100*float64(used-r.used)/float64(all-r.all))
	}
	fmt.Fprintf(out, "Command: `%s`\n", r.command)
}

// perSecond prints a rate with thousands apart.
func perSecond(rate float64) string { return thousands(int64(rate+0.5)) + "/s" }

func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }

// ratioTo prints the share of a reference's rate, and which it is.
func ratioTo(s, reference sample, name string) string {
	return fmt.Sprintf("%.2f of %s %s", s.rate/reference.rate, name, perSecond(reference.rate))
}
