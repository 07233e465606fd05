package embedded

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
)

// connect returns a client of server whose connections never leave the process.
func connect(ctx context.Context, server *miniredis.Miniredis) (rueidis.Client, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{"embedded"},
		DialCtxFn: func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
			return dial(server)
		},
		ForceSingleClient: true, // miniredis is no cluster, speaks RESP2 in full only,
		AlwaysRESP2:       true, // and has no client-side caching
		DisableCache:      true,
		DisableRetry:      true, // the store decides what is sent again
		PipelineMultiplex: -1,   // one connection: the server works on one command at a time anyway,
		AlwaysPipelining:  true, // and its goroutines are there from the start
		ConnWriteTimeout:  30 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	// A RESP2 client subscribes over a connection of its own. Making it now leaves nothing to fail or grow later.
	if err := client.Do(ctx, client.B().Unsubscribe().Channel("none").Build()).Error(); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}
