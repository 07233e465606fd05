package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// After hundreds of event streams and long polls were opened and left, everything is back where it was (I10).
func TestI10NothingIsLeftOfStreamsAndPolls(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=")
	between := startProxy(t, s.base[len("http://"):])
	visit := func(count int) { // some hang up, some are cut off
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan []error, 1)
		go func() {
			gone <- together(count, func(i int) error {
				place, query, accept := s.base, "since=0", "text/event-stream"
				if i%2 == 0 {
					place = "http://" + between.addr
				}
				if i%4 < 2 {
					query, accept = "since=0&wait=30000", "application/json"
				}
				return idle(ctx, fmt.Sprintf("%s/api/v2/graphs/visited-%d/changes?%s", place, i%10, query), accept)
			})
		}()
		await(t, 20*time.Second, "all of them are there", func() bool {
			return s.metric(t, "graphy_http_streams") == float64(count/2) && s.metric(t, "graphy_http_long_polls") == float64(count/2)
		})
		between.reset()
		await(t, 20*time.Second, "half of them are cut off", func() bool { return s.metric(t, "graphy_http_streams") == float64(count/4) })
		leave()
		failOn(t, <-gone)
	}
	settled := func() (goroutines, files float64) {
		await(t, 30*time.Second, "no streams, polls and hubs", func() bool {
			return s.metric(t, "graphy_http_streams")+s.metric(t, "graphy_http_long_polls")+s.metric(t, "graphy_websocket_hubs") == 0
		})
		return s.metric(t, "go_goroutines"), s.metric(t, "process_open_fds")
	}
	visit(20) // what is made once and kept
	goroutines, files := settled()
	visit(400)
	var now [2]float64
	await(t, 30*time.Second, "goroutines and files are back (I10)", func() bool {
		now[0], now[1] = settled()
		return now[0] <= goroutines+2 && now[1] <= files+2
	})
	t.Logf("goroutines %v, before %v; files %v, before %v", now[0], goroutines, now[1], files)
}

// idle opens something that lasts until ctx is done, or it is cut off.
func idle(ctx context.Context, address, accept string) error {
	request, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", accept)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil // cut off
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), accept) {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
	}
	return nil
}
