package limit

import (
	"context"
	"testing"
	"time"
)

func BenchmarkAllow(b *testing.B) {
	for _, source := range []string{"shared", "alone"} {
		opts := Options{}
		if source == "shared" {
			start := time.Now()
			opts.Source = newPool(func() time.Duration { return time.Since(start) })
		}
		for _, refusing := range []string{"granted", "refused"} {
			b.Run(source+"/"+refusing, func(b *testing.B) {
				policy := Policy{Rate: 1e9, Burst: 1e9}
				if refusing == "refused" {
					policy = Policy{Rate: 1000, Burst: 2000}
				}
				l := New(policy, opts)
				defer l.Close()
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					l.Allow(ctx, "user-1234567890", 1)
				}
			})
		}
	}
	b.Run("shared/parallel", func(b *testing.B) {
		start := time.Now()
		l := New(Policy{Rate: 1e9, Burst: 1e9}, Options{Source: newPool(func() time.Duration { return time.Since(start) })})
		defer l.Close()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Allow(context.Background(), "user-1234567890", 1)
			}
		})
	})
}
