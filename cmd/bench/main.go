// Command bench measures how fast Graphy is, on the machine it runs on, and prints a table in Markdown.
//
// It starts, as child processes on loopback, a redis-server (append-only file, fsync every second, in a temporary
// folder), `graphy serve` built from this module, and a bare reference: an echo handler that decodes and answers the
// same JSON, a melody WebSocket that sends back what it gets, an echo handler with one XADD, the bytes of a state served
// from memory, and a hub that writes what it gets to all its WebSockets. Generator, server and Redis share the machine,
// as they do for the peers that the targets come from; the generator is the same for subject and reference, and does as
// little as it can for each answer.
//
// A row alternates rounds of reference and subject, each after a warm-up and a pause until the servers are idle, and
// tells the medians. What counts are the ratios: the figures themselves are those of one machine on one day. CPU per
// command is the user and system time of graphy and redis-server, from the start of the round until both are idle
// again, so what is done behind the answer is in it. Linux tells that; elsewhere the column stays empty.
//
// The rows about many subscribers are in open loop: commands are sent at moments fixed before, whatever the server does,
// and the age of an update counts from that moment. Every subscriber checks that each version comes once and in order; a
// rate is sustained if that is so and 99 of 100 updates, over all subscribers, come in time. Rows about memory start a
// process of their own.
//
// Everything is bounded in time, and all that was started ends with the program, whichever way that ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// referenceCommand is the hidden command that runs the reference instead of the benchmarks.
const referenceCommand = "reference"

// timeLimit is how long a run may take altogether.
const timeLimit = 30 * time.Minute

// options are what a run is told.
type options struct {
	short  bool
	rounds int
	span   time.Duration // of one round, without its warm-up
	events int           // of the long log
	rows   *regexp.Regexp
	perf   string // file for perf record; empty: none
	graphy string // the program to measure; empty: built from this module
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == referenceCommand {
		return serveReference(ctx, args[1:])
	}
	if len(args) > 2 && args[0] == upkeepCommand {
		return doUpkeep(ctx, args[1:])
	}
	opts, err := parseOptions(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	l, err := openLab(ctx, opts)
	if err != nil {
		return err
	}
	defer l.close()
	report := newReport(ctx, l, commandLine(args))
	var failures []error
	for _, row := range allRows {
		if !opts.rows.MatchString(row.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", row.name)
		begun := time.Now()
		lines, err := row.run(ctx, l)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", row.name, err))
			lines = []line{{what: row.name, figure: "failed"}}
		}
		report.add(lines...)
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "%s took %.1f s\n", row.name, time.Since(begun).Seconds())
	}
	report.print(os.Stdout)
	return errors.Join(failures...)
}

// commandLine returns what to type to run this again.
func commandLine(args []string) string {
	words := []string{"go run ./cmd/bench"}
	for _, arg := range args {
		if strings.ContainsAny(arg, " |()*?$") {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// row is a part of the run that can be chosen by its name.
type row struct {
	name string
	run  func(ctx context.Context, l *lab) ([]line, error)
}

// allRows are in the order in which they run. Those about the past come first: after the others, the snapshots of all that
// they have written are taken for minutes.
var allRows = []row{
	{"past", pastRow},
	{"squash", squashRow},
	{"undo", undoRow},
	{"fan-out", fanOutRow},
	{"steady", steadyRow},
	{"together", togetherRow},
	{"presence", presenceRow},
	{"join", joinRow},
	{"join-deflate", joinDeflateRow},
	{"idle", idleRow},
	{"auth", authRow},
	{"http", httpRow},
	{"websocket", webSocketRow},
	{"pipelined", pipelinedRow},
	{"hot-http", hotHTTPRow},
	{"hot-websocket", hotWebSocketRow},
	{"conflicts", conflictsRow},
	{"seen", seenRow},
	{"read-model", readModelRow},
	{"state", stateRow},
	{"memory", memoryRow},
	{"rebuild", rebuildRow},
	{"verify", verifyRow},
	{"sampler", samplerRow},
	{"export", exportRow},
	{"import", importRow},
	{"retain", retainRow},
	{"changes", changesRow},
}

func parseOptions(args []string) (*options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	names := make([]string, len(allRows))
	for i, row := range allRows {
		names[i] = row.name
	}
	short := flags.Bool("short", false, "one short round each, and a log of 100,000 events for 1,000,000")
	rounds := flags.Int("rounds", 3, "rounds of which the median counts; made odd")
	rows := flags.String("run", "", "only rows whose name matches this regular expression: "+strings.Join(names, ", "))
	perf := flags.String("perf", "", "record graphy's CPU profile with perf into this `file`")
	graphy := flags.String("graphy", "", "measure this `program`, as to compare two, instead of building it")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	pattern, err := regexp.Compile("^(?:" + *rows + ")")
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	opts := &options{short: *short, rounds: max(*rounds, 1) | 1, span: 2500 * time.Millisecond, events: 1_000_000, rows: pattern, perf: *perf,
		graphy: *graphy}
	if *short {
		opts.rounds, opts.span, opts.events = 1, time.Second, 100_000
	}
	return opts, nil
}
