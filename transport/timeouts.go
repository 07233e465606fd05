package transport

import (
	"cmp"
	"time"
)

// Timeouts keep slow senders and idle connections from holding up a server.
type Timeouts struct {
	Header  time.Duration // for a request's line and headers to come; default 5s
	Request time.Duration // for all of a request, with its body; default 1m
	Answer  time.Duration // from the end of the headers to that of the answer; default 2m, above the longest poll
	Idle    time.Duration // between two requests on a connection; default 2m
}

func (t Timeouts) orDefault() Timeouts {
	return Timeouts{
		Header:  cmp.Or(t.Header, 5*time.Second),
		Request: cmp.Or(t.Request, time.Minute),
		Answer:  cmp.Or(t.Answer, 2*time.Minute),
		Idle:    cmp.Or(t.Idle, 2*time.Minute),
	}
}
