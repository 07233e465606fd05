package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
	projectionredis "graphy/projection/redis"
)

const (
	activeMost = 500              // graphs with recent events whose lag is looked at
	late       = 10 * time.Second // that read models may be behind
	veryLate   = time.Minute
	namedMost  = 5 // graphs that a finding names
)

func (l *look) models() *projectionredis.Models {
	return projectionredis.New(l.opts.Client, l.keys, projectionredis.Options{Timeout: l.opts.Timeout})
}

// checkLag looks how far the read models of busy graphs are behind, and whether anybody brings them on.
func checkLag(ctx context.Context, l *look) []finding {
	active, err := l.opts.Log.Active(ctx, activeMost)
	if err != nil {
		return unknown("The lag of read models", err)
	}
	graphs := make([]string, len(active))
	for i, one := range active {
		graphs[i] = one.Stream
	}
	lags, err := projection.Lags(ctx, l.opts.Log, l.models(), graphs)
	if err != nil {
		return unknown("The lag of read models", err)
	}
	var oldest projection.GraphLag
	behind, events := 0, int64(0)
	var broken []string
	for _, lag := range lags {
		if lag.Err != nil {
			broken = append(broken, lag.Graph)
		}
		if lag.Age > late && lag.Checkpoint.Stalled == "" {
			behind, events = behind+1, events+lag.Events
		}
		if lag.Age > oldest.Age && lag.Checkpoint.Stalled == "" {
			oldest = lag
		}
	}
	var findings []finding
	if len(broken) > 0 {
		findings = append(findings, bad(fmt.Sprintf("Log or read models of %s cannot be read.", some(broken)),
			"See what is wrong: graphy verify "+broken[0]+". Damaged read models: graphy rebuild. A damaged log: graphy restore, graphy deadletters."))
	}
	projectors, err := l.projectors(ctx)
	if err != nil {
		return append(findings, unknown("The projectors at work", err)...)
	}
	text := fmt.Sprintf("Read models of %d graphs are behind by %d events, the oldest of them %v old (%s).",
		behind, events, oldest.Age.Round(time.Second), oldest.Graph)
	remedy := "See whether the projectors are overloaded: start more of them (GRAPHY_ROLES=projector)."
	if projectors == 0 {
		remedy = "No projector is at work: start a server with the role projector."
	}
	switch {
	case oldest.Age > veryLate:
		findings = append(findings, bad(text, remedy))
	case behind > 0:
		findings = append(findings, warn(text, remedy))
	case projectors == 0:
		findings = append(findings, warn("No projector is at work: read models stand still from the next event on.", "Start a server with the role projector."))
	default:
		findings = append(findings, good("Read models are up to date."))
	}
	return findings
}

// projectors returns how many projectors have been heard of within a few seconds; 1 for those inside the process, which
// do not tell each other.
func (l *look) projectors(ctx context.Context) (int64, error) {
	if l.opts.Embedded != nil {
		return 1, nil
	}
	client := l.opts.Client
	return client.Do(ctx, client.B().Zcard().Key(l.keys.Projectors()).Build()).AsInt64()
}

// checkParked looks for graphs that projectors have given up.
func checkParked(ctx context.Context, l *look) []finding {
	graphs, all, err := l.graphs(ctx)
	if err != nil {
		return unknown("Parked graphs", err)
	}
	models := l.models()
	var parked, damaged []string
	cause := ""
	for page := range slices.Chunk(graphs, listedPage) {
		checkpoints, err := models.Checkpoints(ctx, page)
		if err != nil && isTrouble(err) {
			return unknown("Parked graphs", err)
		}
		for i, graph := range page {
			var checkpoint projection.Checkpoint
			if err == nil {
				checkpoint = checkpoints[i]
			} else { // one of them is damaged: which?
				one, failure := models.Checkpoint(ctx, graph)
				if failure != nil {
					damaged = append(damaged, graph)
				}
				checkpoint = one
			}
			if checkpoint.Stalled != "" {
				parked, cause = append(parked, graph), checkpoint.Stalled
			}
		}
	}
	var findings []finding
	if len(parked) > 0 {
		findings = append(findings, bad(fmt.Sprintf("Projection of %s has stopped: %s.", some(parked), cause),
			"See graphy deadletters list, then graphy deadletters retry or skip."))
	}
	if len(damaged) > 0 {
		findings = append(findings, bad(fmt.Sprintf("The checkpoint of %s is damaged.", some(damaged)), "graphy rebuild "+damaged[0]))
	}
	if len(findings) == 0 {
		findings = append(findings, good("No graph is parked."))
	}
	if !all {
		findings = append(findings, note("The first %d graphs were looked at.", listed))
	}
	return findings
}

// checkLetters looks for dead letters that nobody has dealt with.
func checkLetters(ctx context.Context, l *look) []finding {
	models := l.models()
	open, err := models.OpenLetters(ctx)
	if err != nil {
		return unknown("Dead letters", err)
	}
	if open == 0 {
		return []finding{good("There are no open dead letters.")}
	}
	text := fmt.Sprintf("There are %d open dead letters.", open)
	if newest, err := models.Letters(ctx, false, "", "", 1); err == nil && len(newest) == 1 {
		letter := newest[0]
		text = fmt.Sprintf("There are %d open dead letters, the newest of version %d of %s: %s.", open, letter.Version, letter.Graph, letter.Cause)
	}
	return []finding{warn(text, "See graphy deadletters list, then graphy deadletters retry, skip or discard.")}
}

// some names a few graphs.
func some(graphs []string) string {
	named := strings.Join(graphs[:min(len(graphs), namedMost)], ", ")
	switch {
	case len(graphs) == 1:
		return "graph " + named
	case len(graphs) > namedMost:
		return fmt.Sprintf("%d graphs (%s, …)", len(graphs), named)
	}
	return fmt.Sprintf("%d graphs (%s)", len(graphs), named)
}

// isTrouble tells a store that cannot be asked from a graph that is damaged.
func isTrouble(err error) bool {
	_, refused := missingRight(err)
	return refused || errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func isNil(err error) bool { return rueidis.IsRedisNil(err) }
