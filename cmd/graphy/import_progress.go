package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far an import is: a bar on a terminal, else a line for each tenth.
type progress struct {
	out         io.Writer
	bar         *progressbar.ProgressBar // nil: not a terminal
	done, total int
	tenths      int
	paced       bool // it was said that the server's rate sets the pace
}

func newProgress(out io.Writer, total int) *progress {
	p := &progress{out: out, total: total}
	if file, ok := out.(*os.File); ok && total > 0 && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("importing"),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

func (p *progress) add(entities int) {
	p.done = min(p.done+entities, p.total)
	if p.bar != nil {
		_ = p.bar.Set(p.done) // a terminal that has gone is no reason to stop
		return
	}
	if p.total == 0 {
		return
	}
	if tenths := 10 * p.done / p.total; tenths > p.tenths {
		p.tenths = tenths
		fmt.Fprintf(p.out, "%d of %d\n", p.done, p.total)
	}
}

// retrying says why and when a call is tried again; of the server's rate once, since a large import goes on at it.
func (p *progress) retrying(err error, next time.Duration) {
	if problem := (*problemError)(nil); errors.As(err, &problem) && problem.Status == http.StatusTooManyRequests {
		if p.paced {
			return
		}
		p.paced = true
	}
	p.finish()
	fmt.Fprintf(p.out, "%v; again in %v\n", err, next.Round(time.Millisecond))
}

// finish takes the bar away, so that what is printed next has a line of its own.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
