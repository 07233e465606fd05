package transport

import (
	"net/http"
	"strconv"
	"time"

	"graphy/transport/limit"
)

// The header fields RateLimit-Policy and RateLimit are those of draft-ietf-httpapi-ratelimit-headers: lists of strings
// that name a policy, with its quota q in a window of w seconds, and what remains, r, with the seconds t until there is
// more. A token bucket's quota is what it holds, its window the time in which it fills.

// policyHeader says a policy as an item of RateLimit-Policy.
func policyHeader(name string, p limit.Policy) string {
	return `"` + name + `";q=` + strconv.Itoa(p.Burst) + ";w=" + seconds(p.Window())
}

// tell adds to an answer how much of a rate is left.
func (r *rate) tell(header http.Header, d limit.Decision) {
	wait := d.Wait
	if d.OK {
		wait = time.Duration(float64(time.Second) / r.Policy().Rate)
	}
	item := make([]byte, 0, 32)
	item = append(append(append(item, '"'), r.kind...), `";r=`...)
	item = strconv.AppendInt(item, int64(d.Remaining), 10)
	item = append(append(item, ";t="...), seconds(wait)...)
	header["Ratelimit"] = append(header["Ratelimit"], string(item))
	header["Ratelimit-Policy"] = append(header["Ratelimit-Policy"], r.policy)
}

// seconds writes a time as whole seconds, at least one, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
