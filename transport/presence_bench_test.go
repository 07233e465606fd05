package transport

import (
	"fmt"
	"testing"
)

// taker takes everything.
type taker struct{ frames int }

func (t *taker) offer(frames ...[]byte) bool {
	t.frames += len(frames)
	return true
}

// BenchmarkPresence is one tick of a graph on which every client has moved: what it costs for each frame handed out.
func BenchmarkPresence(b *testing.B) {
	for _, clients := range []int{10, 200} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			s := newStage(b)
			p := newPresence(s.server.sockets.presences, "g")
			p.closed = true // ticks come from here
			takers := make([]*taker, clients)
			for i := range takers {
				takers[i] = &taker{}
				p.enter(takers[i], text(fmt.Sprint("c", i)))
			}
			moves := 0
			b.ReportAllocs()
			for b.Loop() {
				moves++
				for _, t := range takers {
					p.show(t, fmt.Appendf(nil, `{"x":%d,"y":7}`, moves))
				}
				p.handOut()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*clients*(clients-1)), "ns/frame")
			if want := moves * (clients - 1); takers[0].frames != want {
				b.Errorf("%d frames, want %d", takers[0].frames, want)
			}
		})
	}
}
