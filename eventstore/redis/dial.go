package redis

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"
)

// A link to which nothing comes back is given up after pingAfter + pingTimeout, and all calls on it with it.
const (
	dialTimeout = time.Second
	pingAfter   = time.Second
	pingTimeout = 1500 * time.Millisecond
)

// Dial returns clients for a Redis URL (redis:, rediss:, unix:, redis+cluster:, redis+sentinel:), one for commands and
// one for subscriptions. Both reconnect by themselves, retry no command, and are the caller's to close.
//
// A single server need not be there yet: its clients fail until it is. Of a cluster, or behind sentinels, somebody
// must tell who is who: Dial tries until one does or ctx is done.
func Dial(ctx context.Context, url string, logger *zap.Logger) (client, subscriber rueidis.Client, err error) {
	option, err := parseURL(url)
	if err != nil {
		return nil, nil, err
	}
	tune(&option)
	logger = cmp.Or(logger, zap.NewNop())
	if client, err = connect(ctx, option, logger); err != nil {
		return nil, nil, err
	}
	if subscriber, err = connect(ctx, option, logger); err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, subscriber, nil
}

// Ping tells whether Redis answers.
func Ping(ctx context.Context, client rueidis.Client) error {
	return client.Do(ctx, client.B().Ping().Build()).Error()
}

// tune sets what a Store needs of the driver.
func tune(option *rueidis.ClientOption) {
	option.DisableCache = true
	option.DisableRetry = true
	// One connection: the more commands share one, the fewer system calls each costs, here and in Redis.
	option.PipelineMultiplex = -1
	// Else the deadline of a lone call would close the connection.
	option.AlwaysPipelining = true
	option.Dialer = net.Dialer{Timeout: dialTimeout, KeepAlive: pingAfter}
	option.ConnWriteTimeout = pingTimeout
	option.ClientName = cmp.Or(option.ClientName, "graphy")
	option.ClusterOption.ShardsRefreshInterval = 5 * time.Second
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.Dialer = option.Dialer
		option.Sentinel.TopologyRefreshInterval = 5 * time.Second
	}
}

func connect(ctx context.Context, option rueidis.ClientOption, logger *zap.Logger) (rueidis.Client, error) {
	for delay, said := firstDelay, false; ; delay = min(2*delay, lastDelay) {
		client, err := rueidis.NewClient(option)
		if client != nil {
			return client, nil // with an error: a single server that is not there yet
		}
		if over(ctx) {
			return nil, fmt.Errorf("connect to Redis at %v: %w: %w", option.InitAddress, ctx.Err(), err)
		}
		if !said {
			logger.Warn("Redis is out of reach, trying on", zap.Strings("addresses", option.InitAddress), zap.Error(err))
			said = true
		}
		pause(ctx, delay)
	}
}
