package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// meterPause is how often a meter writes a line where there is no terminal.
const meterPause = 5 * time.Second

// meter shows how far something is, on standard error: a bar on a terminal, else a line now and then. It is safe for
// concurrent use.
type meter struct {
	out   io.Writer // nil: quiet
	what  string    // "verify"
	unit  string    // "graphs"
	bytes bool      // they are bytes
	now   func() time.Time

	mu   sync.Mutex
	bar  *progressbar.ProgressBar // guarded by mu, as is all below; nil: there is no terminal
	term bool
	last time.Time // when a line was written
}

func (a *act) meter(what, unit string) *meter {
	m := &meter{what: what, unit: unit, now: a.cli.now, last: a.cli.now(), bytes: unit == "bytes"}
	if !a.quiet {
		m.out, m.term = a.notes, a.cli.terminal(a.notes)
	}
	return m
}

// show says that done of total are done, and more in words; total 0: it is not known.
func (m *meter) show(done, total int64, more string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.out == nil:
	case m.term:
		m.draw(done, total, more)
	case m.now().Sub(m.last) >= meterPause:
		m.last = m.now()
		fmt.Fprintln(m.out, m.words(done, total, more))
	}
}

func (m *meter) draw(done, total int64, more string) {
	if total <= 0 {
		total = -1
	}
	if m.bar == nil {
		m.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(m.out), progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetWidth(24), progressbar.OptionShowBytes(m.bytes))
	}
	if total != m.bar.GetMax64() {
		m.bar.ChangeMax64(total)
	}
	m.bar.Describe(strings.TrimSuffix(m.what+": "+more, ": "))
	_ = m.bar.Set64(done) // a terminal that has gone is no reason to stop
}

func (m *meter) words(done, total int64, more string) string {
	text := fmt.Sprintf("%s: %d", m.what, done)
	switch {
	case m.bytes && total > 0:
		text = fmt.Sprintf("%s: %s of %s", m.what, size(done), size(total))
	case m.bytes:
		text = fmt.Sprintf("%s: %s", m.what, size(done))
	case total > 0:
		text = fmt.Sprintf("%s of %d %s", text, total, m.unit)
	default:
		text += " " + m.unit
	}
	if more != "" {
		text += ", " + more
	}
	return text
}

// clear takes the bar away, so that what is printed next has a line of its own.
func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil {
		_ = m.bar.Clear()
	}
}
