package main

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
)

// hubAt serves a hub and returns its address.
func hubAt(t *testing.T, hub *plainHub) string {
	e := echo.New()
	e.GET("/hub", hub.serve)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func smallCrowd(addr string) *crowd {
	return &crowd{addr: addr, path: "/hub?clientId=", listeners: 5, writers: 2, rate: 200, nodes: 10, span: 400 * time.Millisecond}
}

func TestCrowdHearsEverything(t *testing.T) {
	t.Parallel()
	c := smallCrowd(hubAt(t, newPlainHub()))
	h, err := c.run(t.Context())
	if err != nil || h.fault != nil {
		t.Fatal(err, h.fault)
	}
	if h.sent != 100 || h.hearers != 5 { // with the warm-up
		t.Errorf("%d commands were sent, %d heard them; want 100 and 5", h.sent, h.hearers)
	}
	if h.updates < 500 || h.updates > 1500 || h.p50 <= 0 || h.p99 < h.p50 || h.worst < h.p99 {
		t.Errorf("got %v, worst %v, want about 1,000/s", h, h.worst)
	}
	if !h.holds(time.Minute) || h.holds(h.p99) {
		t.Errorf("%v does not hold for a minute, or holds for less", h)
	}
}

func TestCrowdOfWritersHearsTheOthers(t *testing.T) {
	t.Parallel()
	c := smallCrowd(hubAt(t, newPlainHub()))
	c.listeners, c.writers = 0, 4
	h, err := c.run(t.Context())
	if err != nil || h.fault != nil || h.hearers != 4 || h.p50 <= 0 {
		t.Errorf("got %v by %d, %v, %v", h, h.hearers, h.fault, err)
	}
}

// TestCrowdNoticesWhatIsLost: a version that one of them does not get.
func TestCrowdNoticesWhatIsLost(t *testing.T) {
	t.Parallel()
	hub := newPlainHub()
	c := smallCrowd(hubAt(t, hub))
	timer := time.AfterFunc(300*time.Millisecond, func() {
		hub.mu.Lock()
		defer hub.mu.Unlock()
		hub.version++
	})
	defer timer.Stop()
	if _, err := c.run(t.Context()); !errors.Is(err, errDisorder) {
		t.Errorf("got %v, want %v", err, errDisorder)
	}
}

// TestCrowdNoticesWhoIsCutOff: a connection that ends is a fault, not a smaller crowd.
func TestCrowdNoticesWhoIsCutOff(t *testing.T) {
	t.Parallel()
	hub := newPlainHub()
	c := smallCrowd(hubAt(t, hub))
	timer := time.AfterFunc(300*time.Millisecond, func() {
		hub.mu.Lock()
		defer hub.mu.Unlock()
		for conn := range hub.conns {
			conn.Close()
			return
		}
	})
	defer timer.Stop()
	if h, err := c.run(t.Context()); err != nil || h.fault == nil {
		t.Errorf("got %v, %v, want a fault", h, err)
	}
}

// TestCrowdNoticesALostEnd: of the last commands nothing comes, so that nobody sees a hole.
func TestCrowdNoticesALostEnd(t *testing.T) {
	t.Parallel()
	hub := newPlainHub()
	c := smallCrowd(hubAt(t, hub))
	timer := time.AfterFunc(300*time.Millisecond, func() {
		hub.mu.Lock()
		defer hub.mu.Unlock()
		hub.conns = map[*websocket.Conn]struct{}{}
	})
	defer timer.Stop()
	if h, err := c.run(t.Context()); err != nil || h.fault == nil {
		t.Errorf("got %v, %v, want a fault", h, err)
	}
}
