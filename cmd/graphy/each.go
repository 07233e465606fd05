package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/transport"
)

// each is a long act on graphs: what it is called, and how its reports are shown.
type each[R any] struct {
	what    string           // "verify"
	total   int              // graphs, where the answer does not tell; 0: it does
	brief   bool             // the table shows only what is wrong or was changed
	head    []string         // of the table
	row     func(R) []any    // of a report
	details func(R) []string // lines below the table; nil: none
	outcome func(R) string   // as the sum counts it
	wrong   func(R) bool     // something is not as it should be: exit code 1
	refused func(R) bool     // nothing was done: exit code 4 if that goes for all; nil: never
	changed func(R) bool     // something is not what it was; nil: never
}

// run does the act and shows its reports. It fails with exit code 1 if something is wrong, and says how to go on if the
// act was broken off.
func (e *each[R]) run(ctx context.Context, a *act, c call, args []string) error {
	began := a.cli.now()
	t := &tally{total: e.total, outcomes: map[string]int{}}
	shown := newTable(e.head...)
	var details []string
	m := a.meter(e.what, "graphs")
	err := e.follow(ctx, a, c, m, t, func(report R) {
		if e.brief && !e.wrong(report) && (e.changed == nil || !e.changed(report)) {
			return
		}
		shown.add(e.row(report)...)
		if e.details != nil {
			details = append(details, e.details(report)...)
		}
	})
	m.clear()
	if !a.out.json && (err == nil || t.reports() > 0) {
		if err := e.show(a, shown, details, t, a.cli.now().Sub(began)); err != nil {
			return err
		}
	}
	return t.verdict(ctx, a, err, args)
}

// follow reads the answer to its end, and calls show for each report.
func (e *each[R]) follow(ctx context.Context, a *act, c call, m *meter, t *tally, show func(R)) error {
	for l, err := range a.stream(ctx, c) {
		switch {
		case err != nil:
			return err
		case l.Type == "progress":
			t.done, t.total, t.events = l.Done, cmp.Or(l.Total, t.total), l.Events
			t.after = cmp.Or(l.After, t.after)
			m.show(int64(t.done), int64(t.total), rateWords(l))
		case l.Type == "end":
			t.events = max(t.events, l.Summary.Events)
		case l.Type == "result":
			if a.out.json {
				m.clear()
				if err := a.out.object(l.Result); err != nil {
					return err
				}
			}
			if err := e.take(a, l.Result, t, show); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *each[R]) take(a *act, raw jsontext.Value, t *tally, show func(R)) error {
	var failed transport.Failed
	if err := json.Unmarshal(raw, &failed); err != nil {
		return a.misunderstood(err)
	}
	t.done = max(t.done, t.reports()+1)
	if failed.Error.Status != 0 {
		t.failed = append(t.failed, failed)
		return nil
	}
	var report R
	if err := json.Unmarshal(raw, &report); err != nil {
		return a.misunderstood(err)
	}
	t.outcomes[e.outcome(report)]++
	if e.wrong(report) {
		t.wrong++
	}
	if e.refused != nil && e.refused(report) {
		t.refused++
	}
	show(report)
	return nil
}

// show writes what people read: the table, what is wrong in detail, and the sum.
func (e *each[R]) show(a *act, shown *table, details []string, t *tally, took time.Duration) error {
	slices.SortStableFunc(shown.rows, func(x, y []string) int { return strings.Compare(x[0], y[0]) })
	if len(shown.rows) > 0 {
		if err := a.out.print(shown, ""); err != nil {
			return err
		}
	}
	for _, line := range details {
		a.out.linef("%s", plain(line))
	}
	for _, failed := range t.failed {
		a.out.linef("%s: failed: %s", failed.GraphID, plain(problemOf(&failed.Error).Error()))
	}
	if t.reports() == 1 && !e.brief {
		return nil // the table says it
	}
	words := make([]string, 0, len(t.outcomes)+1)
	for outcome, count := range t.outcomes {
		words = append(words, fmt.Sprintf("%d %s", count, outcome))
	}
	slices.Sort(words)
	if len(t.failed) > 0 {
		words = append(words, fmt.Sprintf("%d failed", len(t.failed)))
	}
	sum := e.what + ": " + plural(t.reports(), "graph", "graphs")
	if t.events > 0 {
		sum += ", " + plural(t.events, "event", "events")
	}
	sum += " in " + took.Round(time.Millisecond).String()
	if len(words) > 0 {
		sum += ": " + strings.Join(words, ", ")
	}
	a.out.linef("%s", sum)
	return nil
}

// rateWords says how fast it goes, and how long it will take.
func rateWords(l line) string {
	var words []string
	if l.Events > 0 {
		words = append(words, plural(l.Events, "event", "events"))
	}
	if l.Rate >= 1 {
		words = append(words, fmt.Sprintf("%.0f events/s", l.Rate))
	}
	if l.LeftMillis > 0 {
		words = append(words, "about "+(time.Duration(l.LeftMillis)*time.Millisecond).Round(time.Second).String()+" left")
	}
	return strings.Join(words, ", ")
}
