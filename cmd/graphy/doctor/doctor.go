// Package doctor looks at a whole installation and says what is wrong with it, or soon will be, and what to do.
//
// A check is one question, such as whether the eviction policy is safe. It answers with findings: each has a severity,
// a text and, unless all is well, a remedy. Checks run side by side, each with a deadline of its own; one that fails or
// hangs is a finding like any other and hides none of the others. A Redis that is out of reach is found once, not by
// every check.
//
// What the adapters do is tried on a scratch keyspace, whose keys begin with "doctor:" behind the configured prefix: no
// process sees it, and all of it is removed, and goes away by itself should that fail. Nothing else is written.
//
// A Doctor is safe for concurrent use. Who may ask it, and what becomes of the answer, is left to transport and cmd.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/eventstore/embedded"
	"graphy/eventstore/redis"
	"graphy/transport"
)

// Options say what there is to look at. Client, Store and Log are needed, the rest may be left out.
type Options struct {
	Client rueidis.Client // of the Redis, also of the one inside the process
	Store  *redis.Store   // on it
	Log    eventstore.Log // of the graphs

	Embedded *embedded.Store  // nil: the Redis is another process
	DataDir  string           // of the embedded journal; "": there is none
	Archive  *archive.Archive // nil: what is trimmed is gone
	JWKSURL  string           // "": no keys of tokens are fetched
	Secret   bool             // tokens are checked with a secret
	Grace    time.Duration    // for which clients that are gone are remembered; default 300s
	Replicas int              // that each Redis ought to have; 0: as many as its own settings want

	Timeout time.Duration // of a check, twice that of the one that tries scripts; default 5s
	Logger  *zap.Logger   // default discards
}

// Doctor looks at an installation.
type Doctor struct {
	opts Options
	keys redis.Keys
}

// New returns a Doctor. What it is given stays the caller's to close.
func New(opts Options) *Doctor {
	opts.Grace = cmp.Or(opts.Grace, 300*time.Second)
	opts.Timeout = cmp.Or(opts.Timeout, 5*time.Second)
	opts.Logger = cmp.Or(opts.Logger, zap.NewNop())
	return &Doctor{opts: opts, keys: opts.Store.Keys()}
}

// checks are all of them, in the order of their findings.
var checks = []check{
	{"version", onNodes, 1, checkFitness}, {"saves", onNodes, 1, checkSaves}, {"memory", onNodes, 1, checkMemory},
	{"growth", onNodes, 1, checkGrowth}, {"replicas", onNodes, 1, checkReplicas}, {"clock", onAny, 1, checkClock},
	{"rights", onNodes, 1, checkRights}, {"scripts", onAny, 2, checkScripts}, {"pubsub", onAny, 1, checkPubSub},
	{"lag", onAny, 1, checkLag}, {"parked", onAny, 1, checkParked}, {"deadletters", onAny, 1, checkLetters},
	{"sessions", onAny, 1, checkSessions}, {"leftovers", onAny, 1, checkLeftovers},
	{"journal", always, 1, checkJournal}, {"archive", always, 1, checkArchive}, {"tokens", always, 1, checkTokens},
}

// What a check needs to make sense.
type need int

const (
	always  need = iota
	onAny        // a Redis that answers, be it the one inside the process
	onNodes      // one that is a process of its own
)

// check is one question to the installation.
type check struct {
	name string
	need need
	time int // that it may take, in Options.Timeout
	run  func(ctx context.Context, l *look) []finding
}

// look is one diagnosis under way.
type look struct {
	*Doctor
	nodes []node
}

// Diagnose runs all checks. Its error is context.Canceled, if ctx was: what did not end within its deadline is among the
// findings.
func (d *Doctor) Diagnose(ctx context.Context) (transport.Diagnosis, error) {
	l := &look{Doctor: d}
	reach := d.run(ctx, check{"redis", always, 1, reachNodes}, l)
	diagnosis := transport.Diagnosis{Findings: reach}
	reached := !slices.ContainsFunc(reach, func(f finding) bool { return f.Severity == transport.SeverityError })

	found := make([][]finding, len(checks))
	var running sync.WaitGroup
	for i, c := range checks {
		if c.need == onNodes && d.opts.Embedded != nil || c.need != always && !reached {
			continue
		}
		running.Go(func() { found[i] = d.run(ctx, c, l) })
	}
	running.Wait()
	for _, findings := range found {
		diagnosis.Findings = append(diagnosis.Findings, findings...)
	}
	diagnosis.Severity = worst(diagnosis.Findings)
	if errors.Is(ctx.Err(), context.Canceled) {
		return diagnosis, ctx.Err()
	}
	return diagnosis, nil
}

// run has a check answer within the timeout, and answers for it if it does not.
func (d *Doctor) run(ctx context.Context, c check, l *look) []finding {
	limit := time.Duration(c.time) * d.opts.Timeout
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan []finding, 1)
	go func() { done <- c.run(ctx, l) }()
	var findings []finding
	select {
	case findings = <-done:
	case <-time.After(limit + time.Second): // it does not heed its context
		findings = []finding{bad(fmt.Sprintf("The check did not end within %v.", limit), "See whether what it looks at hangs.")}
	}
	for i := range findings {
		findings[i].Check = cmp.Or(findings[i].Check, c.name)
	}
	return findings
}
