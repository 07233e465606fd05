package redis

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/redis/rueidis"
)

// class says what is known of a call that failed.
type class int

const (
	// unknown: it may have been carried out, now or later.
	unknown class = iota
	// refused: it certainly was not carried out; the same call may succeed later.
	refused
	// permanent: it certainly was not carried out, and the same call will not be.
	permanent
)

// refusals are the codes with which Redis declines a command before it writes anything. Scripts check all of these
// no later than at their first write.
var refusals = map[string]class{
	"LOADING": refused, "CLUSTERDOWN": refused, "TRYAGAIN": refused, "READONLY": refused, "OOM": refused,
	"MISCONF": refused, "NOREPLICAS": refused, "NOSCRIPT": refused, "MASTERDOWN": refused, "BUSY": refused,
	"NOAUTH": refused, "WRONGPASS": refused, "NOPERM": refused, "MOVED": refused, "ASK": refused,
	"WRONGTYPE": permanent,
}

// classify returns the class of an error of the driver. It goes by type and code; what it does not know is unknown.
func classify(err error) class {
	if answer, ok := errors.AsType[*rueidis.RedisError](err); ok {
		code, _, _ := strings.Cut(answer.Error(), " ")
		return refusals[code]
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return refused
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return refused
	}
	if errors.Is(err, rueidis.ErrClosing) || errors.Is(err, rueidis.ErrNoAddr) || errors.Is(err, rueidis.ErrNoSlot) {
		return refused
	}
	return unknown
}

// over tells whether ctx has ended, so that nothing may be sent any more.
func over(ctx context.Context) bool { return ctx.Err() != nil }
