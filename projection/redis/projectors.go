package redis

import (
	"cmp"
	"context"
	_ "embed"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore/redis"
	"graphy/projection"
)

//go:embed lua/beat.lua
var beatSource string

var beatScript = rueidis.NewLuaScript(beatSource)

// missedBeats is after how many missed beats a projector is gone.
const missedBeats = 3

// ProjectorsOptions configure Projectors. The zero value is ready to use.
type ProjectorsOptions struct {
	Beat   time.Duration // between two signs of life; default 500ms
	Logger *zap.Logger   // default discards
}

// Projectors divides the graphs among the processes that project, those whose Run runs: a zset tells them of each other,
// by the clock of Redis. Each sees a change within a beat or two; one that dies or is frozen is gone after three. One that
// does not hear of the others any more takes all graphs for its own.
type Projectors struct {
	client rueidis.Client
	key    string
	opts   ProjectorsOptions
	self   string
	known  atomic.Pointer[membership] // nil: nothing yet
}

// membership is what the last beat has told.
type membership struct {
	members []string
	at      time.Time
}

var _ projection.Division = (*Projectors)(nil)

// NewProjectors returns one more projector, not yet at work. The client stays the caller's to close.
func NewProjectors(client rueidis.Client, keys redis.Keys, opts ProjectorsOptions) *Projectors {
	opts.Beat = cmp.Or(opts.Beat, 500*time.Millisecond)
	opts.Logger = cmp.Or(opts.Logger, zap.NewNop())
	return &Projectors{client: client, key: keys.Projectors(), opts: opts, self: ulid.Make().String()}
}

// Owns implements projection.Division.
func (p *Projectors) Owns(graph string) bool {
	known := p.known.Load()
	return known == nil || time.Since(known.at) > missedBeats*p.opts.Beat || projection.Owner(graph, known.members) == p.self
}

// Run is a member until ctx is done, then leaves and returns nil. It may be called again, not twice at once.
func (p *Projectors) Run(ctx context.Context) error {
	ticker := time.NewTicker(p.opts.Beat)
	defer ticker.Stop()
	for failing := false; ; {
		err := p.beat(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			p.opts.Logger.Warn("projectors do not hear of each other for now", zap.Error(err))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			p.leave(context.WithoutCancel(ctx))
			return nil
		case <-ticker.C:
		}
	}
}

func (p *Projectors) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Beat)
	defer cancel()
	asked := time.Now() // the answer may be old by the time it is read
	gone := missedBeats * p.opts.Beat
	members, err := beatScript.Exec(ctx, p.client, []string{p.key}, []string{p.self, strconv.FormatInt(gone.Milliseconds(), 10)}).AsStrSlice()
	if err != nil {
		return err
	}
	slices.Sort(members)
	before := p.known.Swap(&membership{members: members, at: asked})
	if before == nil || !slices.Equal(before.members, members) {
		p.opts.Logger.Info("projectors share the graphs", zap.Int("count", len(members)))
	}
	return nil
}

// leave takes the member off at once, so that the others need not wait for beats.
func (p *Projectors) leave(ctx context.Context) {
	p.known.Store(nil)
	ctx, cancel := context.WithTimeout(ctx, p.opts.Beat)
	defer cancel()
	if err := p.client.Do(ctx, p.client.B().Zrem().Key(p.key).Member(p.self).Build()).Error(); err != nil {
		p.opts.Logger.Warn("projector could not say that it leaves", zap.Error(err))
	}
}

var membersDesc = prometheus.NewDesc("graphy_projection_members", "Projectors that share the graphs, as far as this one knows.", nil, nil)

var _ prometheus.Collector = (*Projectors)(nil)

// Describe implements prometheus.Collector.
func (p *Projectors) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- membersDesc }

// Collect implements prometheus.Collector.
func (p *Projectors) Collect(values chan<- prometheus.Metric) {
	count := 0
	if known := p.known.Load(); known != nil {
		count = len(known.members)
	}
	values <- prometheus.MustNewConstMetric(membersDesc, prometheus.GaugeValue, float64(count))
}
