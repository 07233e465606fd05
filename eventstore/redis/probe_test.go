package redis

import (
	"testing"
	"time"
)

func TestProbing(t *testing.T) {
	p := probing{first: 2 * time.Second}
	expect := func(want time.Duration) {
		t.Helper()
		if got := p.next(); got > want || got < want*7/8-1 {
			t.Errorf("got %v, want up to an eighth less than %v", got, want)
		}
	}
	expect(2 * time.Second)
	for _, want := range []time.Duration{4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		p.silent()
		expect(want)
	}
	p.heard()
	expect(2 * time.Second)
	p.silent()
	expect(4 * time.Second)
}
