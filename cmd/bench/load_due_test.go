package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestDueKeepsItsSchedule: a turn that takes long is followed by all that fell due meanwhile, none is left out.
func TestDueKeepsItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 10 * time.Millisecond
		first := time.Now().Add(25 * time.Millisecond)
		var groups []int
		var all []time.Time
		for moments := range due(t.Context(), first, first.Add(100*time.Millisecond), every) {
			if now := time.Now(); moments[len(moments)-1].After(now) {
				t.Errorf("at %v: a moment to come, %v", now, moments)
			}
			all = append(all, moments...)
			groups = append(groups, len(moments))
			if len(groups) == 3 {
				time.Sleep(35 * time.Millisecond)
			}
		}
		if want := []int{1, 1, 1, 3, 1, 1, 1, 1}; !slices.Equal(groups, want) {
			t.Errorf("got groups %v, want %v", groups, want)
		}
		for i, moment := range all {
			if want := first.Add(time.Duration(i) * every); !moment.Equal(want) {
				t.Errorf("moment %d is %v, want %v", i, moment, want)
			}
		}
	})
}

func TestDueEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Millisecond)
		defer cancel()
		count := 0
		for moments := range due(ctx, time.Now(), time.Now().Add(time.Hour), 10*time.Millisecond) {
			count += len(moments)
		}
		if count != 4 {
			t.Errorf("got %d moments in 35 ms, want 4", count)
		}
	})
}
