package main

import "math"

// highest returns the highest of the rates tried that holds, 0 if none does. From first on it doubles while that holds, or
// halves until it does; then it halves the bracket, by ratio, so many times. If what holds at a rate held at every lower
// one, the highest that holds would be within a factor of 2^(1/2^halvings) above what is returned.
func highest(first float64, halvings int, holds func(rate float64) (bool, error)) (float64, error) {
	good, bad := 0.0, math.Inf(1)
	for rate := first; ; {
		ok, err := holds(rate)
		if err != nil {
			return good, err
		}
		if ok {
			good = rate
		} else {
			bad = rate
		}
		switch {
		case good == 0 && bad < first/mostFactor, math.IsInf(bad, 1) && good > first*mostFactor:
			return good, nil
		case good == 0:
			rate = bad / 2
		case math.IsInf(bad, 1):
			rate = good * 2
		case halvings > 0:
			halvings--
			rate = math.Sqrt(good * bad)
		default:
			return good, nil
		}
	}
}

// mostFactor is how far from the first rate the search goes, up and down.
const mostFactor = 64
