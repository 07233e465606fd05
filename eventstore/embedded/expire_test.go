package embedded

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

func TestKeysExpireWhileRunRuns(t *testing.T) {
	s := open(t, Options{})
	client, wait := s.Client(), soon(t)
	for key, ttl := range map[string]time.Duration{"short": time.Millisecond, "long": time.Hour} {
		if err := client.Do(wait, client.B().Set().Key(key).Value("v").Px(ttl).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(wait)
	ended := make(chan error)
	go func() { ended <- s.run(ctx, time.Millisecond) }()
	for {
		err := client.Do(wait, client.B().Get().Key("short").Build()).Error()
		if rueidis.IsRedisNil(err) {
			break
		}
		if err != nil {
			t.Fatalf("key does not expire: %v", err)
		}
	}
	if err := client.Do(wait, client.B().Get().Key("long").Build()).Error(); err != nil {
		t.Errorf("key expired too early: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: got %v, want nil", err)
	}
}

func TestProgressIsQuietAtFirstAndEndsComplete(t *testing.T) {
	var calls [][2]int64
	p := progress{report: func(done, total int64) { calls = append(calls, [2]int64{done, total}) }}
	p.begin(1000)
	for done := range int64(1000) {
		p.show(done)
	}
	p.end()
	if len(calls) != 0 {
		t.Errorf("short replay reported %v", calls)
	}
	p.next = time.Now().Add(-time.Second)
	for done := range int64(1000) {
		p.show(done)
	}
	p.end()
	if len(calls) < 2 || calls[len(calls)-1] != [2]int64{1000, 1000} {
		t.Errorf("long replay reported %v, want some and the end", calls)
	}
}
