package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graphy/transport"
)

type finding = transport.Finding

func good(format string, args ...any) finding {
	return finding{Severity: transport.SeverityOK, Text: fmt.Sprintf(format, args...)}
}

func note(format string, args ...any) finding {
	return finding{Severity: transport.SeverityInfo, Text: fmt.Sprintf(format, args...)}
}

func warn(text, remedy string) finding {
	return finding{Severity: transport.SeverityWarning, Text: text, Remedy: remedy}
}

func bad(text, remedy string) finding {
	return finding{Severity: transport.SeverityError, Text: text, Remedy: remedy}
}

// unknown is the finding of a check that could not be made.
func unknown(what string, err error) []finding {
	if rule, refused := missingRight(err); refused {
		return []finding{warn(fmt.Sprintf("%s: not known, the user may not ask (%v).", what, err), rule)}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return []finding{bad(fmt.Sprintf("%s: not known, no answer in time (%v).", what, err), "See whether Redis is overloaded: redis-cli SLOWLOG GET, redis-cli LATENCY DOCTOR.")}
	}
	return []finding{bad(fmt.Sprintf("%s: not known (%v).", what, err), "See the log of Redis and of this server.")}
}

// severities in the order of their weight.
var severities = []string{transport.SeverityOK, transport.SeverityInfo, transport.SeverityWarning, transport.SeverityError}

// worst returns the severity of the worst finding.
func worst(findings []finding) string {
	weight := 0
	for _, f := range findings {
		weight = max(weight, slices.Index(severities, f.Severity))
	}
	return severities[weight]
}
