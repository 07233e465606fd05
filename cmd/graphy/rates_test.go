package main

import (
	"math"
	"testing"

	"github.com/spf13/cobra"

	"graphy/transport"
)

func TestRatesFollowTheUsers(t *testing.T) {
	for name, test := range map[string]struct {
		set  map[string]string
		want transport.RateOptions
	}{
		"by default":      {nil, transport.RateOptions{User: 1000, Address: 10_000, Graph: 10_000, Connection: 2000}},
		"0 turns all off": {map[string]string{"GRAPHY_RATE_LIMIT": "0"}, transport.RateOptions{}},
		"but those that are set": {map[string]string{"GRAPHY_RATE_LIMIT": "0", "GRAPHY_RATE_LIMIT_ADDRESS": "7", "GRAPHY_RATE_LIMIT_CONNECTION": "0.5"},
			transport.RateOptions{Address: 7, Connection: 0.5, Loopback: true}},
		"one alone is off": {map[string]string{"GRAPHY_RATE_LIMIT": "5", "GRAPHY_RATE_LIMIT_GRAPH": "0"},
			transport.RateOptions{User: 5, Address: 50, Connection: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range test.set {
				t.Setenv(key, value)
			}
			c := &config{}
			if err := c.bind(&cobra.Command{}); err != nil {
				t.Fatal(err)
			}
			if err := c.check(); err != nil {
				t.Fatal(err)
			}
			if got := c.Rates.options(); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	for _, bad := range []rates{{User: -1}, {User: math.NaN()}, {Graph: -2}, {Address: math.Inf(1)}, {Connection: -0.5}} {
		if bad.check() == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestParseProxies(t *testing.T) {
	got, err := parseProxies([]string{"10.1.2.3/8", " ::1", "192.0.2.7"})
	if err != nil || len(got) != 3 || got[0].String() != "10.0.0.0/8" || got[1].String() != "::1/128" || got[2].String() != "192.0.2.7/32" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "proxy", "10.0.0.0/33", "*"} {
		if _, err := parseProxies([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
