package main

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"graphy/transport"
)

// rates are how often what may be done each second, 0 without limit. derived ones follow from the user's, so that 0 there
// turns all off that are not set.
type rates struct {
	User       float64 `env:"RATE_LIMIT" envDefault:"1000"`
	Address    float64 `env:"RATE_LIMIT_ADDRESS" envDefault:"-1"`
	Graph      float64 `env:"RATE_LIMIT_GRAPH" envDefault:"-1"`
	Connection float64 `env:"RATE_LIMIT_CONNECTION" envDefault:"-1"`
}

const derived = -1

// How many times the user's rate those are that are not set.
const (
	addressTimes    = 10
	graphTimes      = 10
	connectionTimes = 2
)

func (r *rates) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&r.User, "rate-limit", r.User, "commands a second and user, bursts of twice that; 0: no limits (GRAPHY_RATE_LIMIT)")
	flags.Float64Var(&r.Address, "rate-limit-address", r.Address,
		"requests a second and address; -1: 10 times --rate-limit, but for loopback ones (GRAPHY_RATE_LIMIT_ADDRESS)")
	flags.Float64Var(&r.Graph, "rate-limit-graph", r.Graph, "commands a second and graph; -1: 10 times --rate-limit (GRAPHY_RATE_LIMIT_GRAPH)")
	flags.Float64Var(&r.Connection, "rate-limit-connection", r.Connection,
		"frames a second and WebSocket; -1: twice --rate-limit (GRAPHY_RATE_LIMIT_CONNECTION)")
}

func (r *rates) check() error {
	for _, rate := range []struct {
		name   string
		value  float64
		lowest float64
	}{{"", r.User, 0}, {"_ADDRESS", r.Address, derived}, {"_GRAPH", r.Graph, derived}, {"_CONNECTION", r.Connection, derived}} {
		if math.IsNaN(rate.value) || math.IsInf(rate.value, 0) || rate.value < rate.lowest || rate.value < 0 && rate.value != derived {
			return fmt.Errorf("GRAPHY_RATE_LIMIT%s is %v: give how many a second, or 0 for no limit", rate.name, rate.value)
		}
	}
	return nil
}

// options returns them as they hold.
func (r *rates) options() transport.RateOptions {
	or := func(rate float64, times float64) float64 {
		if rate == derived {
			return times * r.User
		}
		return rate
	}
	return transport.RateOptions{User: r.User, Address: or(r.Address, addressTimes), Graph: or(r.Graph, graphTimes),
		Connection: or(r.Connection, connectionTimes), Loopback: r.Address != derived}
}

// parseProxies reads addresses and networks, as 10.0.0.0/8.
func parseProxies(words []string) ([]netip.Prefix, error) {
	var proxies []netip.Prefix
	for _, word := range words {
		word = strings.TrimSpace(word)
		prefix, err := netip.ParsePrefix(word)
		if address, single := netip.ParseAddr(word); single == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("GRAPHY_TRUSTED_PROXIES: %q is neither an address nor a network like 10.0.0.0/8", word)
		}
		proxies = append(proxies, prefix.Masked())
	}
	return proxies, nil
}
