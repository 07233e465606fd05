package transport

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"graphy/transport/limit"
)

// RateOptions say how often what may be done, each a second; 0 is no limit. The burst of each is what two seconds give.
type RateOptions struct {
	User       float64 // commands of a user; each operation of a batch counts
	Graph      float64 // commands on a graph
	Address    float64 // requests of an address; of IPv6, of a network of 64 bits
	Connection float64 // frames of a WebSocket
	Loopback   bool    // the rate of addresses holds for loopback ones, too
}

// rates are the limits of a server; each is nil where there is none.
type rates struct {
	user, graph, address *rate
	frames               limit.Policy // of a connection
	loopback             bool
	limited              *prometheus.CounterVec
	now                  func() time.Duration
}

// rate is one kind of limit.
type rate struct {
	*limit.Limiter
	kind    string
	policy  string // as RateLimit-Policy says it
	limited prometheus.Counter
}

func newRates(source limit.Source, opts RateOptions, registry *prometheus.Registry, logger *zap.Logger) *rates {
	start := time.Now()
	r := &rates{loopback: opts.Loopback, now: func() time.Duration { return time.Since(start) }}
	r.limited = register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "graphy_rate_limited_total", Help: "Requests, commands and frames refused for their rate, and presence dropped for it.",
	}, []string{"limit"}))
	away := register(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "graphy_rates_alone", Help: "1 while rates that processes share are out of reach, and each counts for itself.",
	}, []string{"limit"}))
	kind := func(name string, each float64) *rate {
		if each <= 0 {
			return nil
		}
		policy, gauge := limit.Every(each), away.WithLabelValues(name)
		told := func(isAway bool) {
			gauge.Set(0)
			if isAway {
				gauge.Set(1)
			}
		}
		return &rate{kind: name, policy: policyHeader(name, policy), limited: r.limited.WithLabelValues(name),
			Limiter: limit.New(policy, limit.Options{Kind: name, Source: source, Logger: logger, Away: told})}
	}
	r.user, r.graph, r.address = kind("user", opts.User), kind("graph", opts.Graph), kind("address", opts.Address)
	if opts.Connection > 0 {
		r.frames = limit.Every(opts.Connection)
	}
	return r
}

// sweepEach is how often keys that nobody uses are forgotten.
const sweepEach = 10 * time.Second

// run forgets keys that nobody uses, until ctx is done. Then nothing is asked of shared buckets any more.
func (r *rates) run(ctx context.Context) {
	ticker := time.NewTicker(sweepEach)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.each((*limit.Limiter).Sweep)
		case <-ctx.Done():
			r.each((*limit.Limiter).Close)
			return
		}
	}
}

func (r *rates) each(do func(*limit.Limiter)) {
	for _, rate := range []*rate{r.user, r.graph, r.address} {
		if rate != nil {
			do(rate.Limiter)
		}
	}
}

// decide takes a cost out of a rate; without one everything is fine.
func (r *rate) decide(ctx context.Context, key string, cost int) limit.Decision {
	if r == nil {
		return limit.Decision{OK: true}
	}
	decision := r.Allow(ctx, key, cost)
	if !decision.OK {
		r.limited.Inc()
	}
	return decision
}

// top raises to cost what was taken before: all of it is taken, or nothing.
func (r *rate) top(ctx context.Context, key string, taken, cost int) limit.Decision {
	if r == nil || cost <= taken {
		return limit.Decision{OK: true}
	}
	r.Return(key, taken)
	return r.decide(ctx, key, cost)
}

// refusal is what somebody is told who is over the rate.
func (r *rate) refusal(wait time.Duration) error {
	return refuse(rateLimited, "the rate of this %s is used up, at %g a second: try again in %v", r.kind, r.Policy().Rate,
		max(wait, time.Millisecond).Round(time.Millisecond))
}
