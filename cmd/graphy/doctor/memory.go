package doctor

import (
	"context"
	"fmt"
)

const (
	memoryHigh = 0.75 // of what there is
	memoryFull = 0.90
)

const makeRoom = "Give it more memory, trim logs (graphy retain, GRAPHY_RETAIN), or spread graphs over a cluster. At maxmemory Redis " +
	"refuses all writes; beyond the machine's memory the system ends it."

// room returns how much memory the node uses, and how much it may: its maxmemory, else the machine's; 0 if neither is
// told.
func (n *node) room() (used, limit int64) {
	limit = n.number("maxmemory")
	if machine := n.number("total_system_memory"); limit == 0 || machine > 0 && machine < limit {
		limit = machine
	}
	return n.number("used_memory"), limit
}

// checkMemory looks how much of its memory Redis uses.
func checkMemory(_ context.Context, l *look) (findings []finding) {
	for i := range l.nodes {
		n := &l.nodes[i]
		used, limit := n.room()
		if limit == 0 {
			findings = append(findings, note("%s", l.named(n, fmt.Sprintf("Redis uses %s, and does not tell how much it may.", size(used)))))
			continue
		}
		share := float64(used) / float64(limit)
		text := l.named(n, fmt.Sprintf("Redis uses %s of %s, %.0f %%.", size(used), size(limit), 100*share))
		switch {
		case share > memoryFull:
			findings = append(findings, bad(text, makeRoom))
		case share > memoryHigh:
			findings = append(findings, warn(text, makeRoom))
		default:
			findings = append(findings, good("%s", text))
		}
		if n.number("maxmemory") == 0 {
			findings = append(findings, note("%s", l.named(n, "Redis has no maxmemory: set one below the machine's memory, so that it refuses writes instead of being ended by the system.")))
		}
	}
	return findings
}

// size says a number of bytes.
func size(bytes int64) string {
	switch {
	case bytes >= 10<<30:
		return fmt.Sprintf("%.0f GB", float64(bytes)/(1<<30))
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.0f MB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d kB", bytes>>10)
}
