package main

import (
	"errors"
	"testing"
)

func TestHighestComesCloseFromBelow(t *testing.T) {
	const first = 100
	for _, limit := range []float64{2, 30, 99.9, 100, 101, 163, 1000, 6000} {
		tries := 0
		got, err := highest(first, 3, func(rate float64) (bool, error) {
			tries++
			return rate <= limit, nil
		})
		if err != nil || got > limit || got < limit/1.091 {
			t.Errorf("limit %v: got %v, %v, want at most 9 %% less", limit, got, err)
		}
		if tries > 11 {
			t.Errorf("limit %v took %d tries", limit, tries)
		}
	}
}

func TestHighestGivesUp(t *testing.T) {
	const first = 100
	for _, all := range []bool{false, true} {
		tries := 0
		got, err := highest(first, 3, func(float64) (bool, error) { tries++; return all, nil })
		if err != nil || tries > 10 || !all && got != 0 || all && got < first*mostFactor {
			t.Errorf("every rate holds: %v; got %v, %v after %d tries", all, got, err, tries)
		}
	}
	broken := errors.New("broken")
	if _, err := highest(first, 3, func(float64) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want what a try failed with", err)
	}
}
