package embedded

import "time"

const (
	quietFor     = time.Second            // a replay shorter than this shows nothing
	showInterval = 100 * time.Millisecond // and a longer one not more often than this
)

// progress passes on how far a replay is, once it takes long enough to be worth a line.
type progress struct {
	report func(done, total int64) // may be nil
	total  int64
	next   time.Time // when to report next
	shown  bool
	calls  int
}

func (p *progress) begin(total int64) { p.total, p.next = total, time.Now().Add(quietFor) }

func (p *progress) show(done int64) {
	if p.calls++; p.report == nil || p.calls%256 != 0 { // reading the clock for every record would cost too much
		return
	}
	if now := time.Now(); now.After(p.next) {
		p.report(done, p.total)
		p.next, p.shown = now.Add(showInterval), true
	}
}

// end reports completion if anything was reported.
func (p *progress) end() {
	if p.shown {
		p.report(p.total, p.total)
	}
}
