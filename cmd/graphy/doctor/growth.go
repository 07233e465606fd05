package doctor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	sampled    = 100            // graphs whose memory and rate stand for all
	listed     = 20_000         // graphs that are looked at, of however many
	listedPage = 1000           // of them at a time
	recent     = time.Hour      // in which events count as the present rate
	recentMost = 200            // events of a graph that are looked at for that
	soonFull   = 30             // days
	nearlyFull = 3              // days
	fewEvents  = 1000           // fewer in the sample say nothing about the size of one
	day        = 24 * time.Hour // for rates
)

// checkGrowth says how long the memory will last at the present rate.
func checkGrowth(ctx context.Context, l *look) []finding {
	graphs, all, err := l.graphs(ctx)
	if err != nil {
		return unknown("The growth of the logs", err)
	}
	rand.Shuffle(len(graphs), func(i, j int) { graphs[i], graphs[j] = graphs[j], graphs[i] })
	sample := graphs[:min(len(graphs), sampled)]
	events, bytes, err := l.weigh(ctx, sample)
	if err != nil {
		return unknown("The growth of the logs", err)
	}
	if events < fewEvents {
		return []finding{note("There are too few events yet to say how the logs grow.")}
	}
	var rate float64 // events a second
	for _, graph := range sample {
		some, err := l.rate(ctx, graph)
		if err != nil {
			return unknown("The growth of the logs", err)
		}
		rate += some
	}
	rate *= float64(len(graphs)) / float64(len(sample))
	each := float64(bytes) / float64(events)
	text := fmt.Sprintf("An event takes about %.0f bytes; lately %.0f events come a day", each, rate*day.Seconds())
	if !all {
		text += fmt.Sprintf(" in %d graphs (there are more)", len(graphs))
	}
	left, known := l.headroom()
	if !known || rate == 0 {
		return []finding{good("%s.", text)}
	}
	days := float64(left) / (each * rate * day.Seconds())
	text = fmt.Sprintf("%s: the memory of Redis lasts for %.0f days.", text, days)
	switch {
	case days < nearlyFull:
		return []finding{bad(text, makeRoom)}
	case days < soonFull:
		return []finding{warn(text, makeRoom)}
	case days > 3650:
		text = fmt.Sprintf("%s: the memory of Redis lasts for years.", text)
	}
	return []finding{good("%s", text)}
}

// graphs lists the ids of graphs; all is false if there are more.
func (l *look) graphs(ctx context.Context) (graphs []string, all bool, err error) {
	for cursor := ""; len(graphs) < listed; cursor = graphs[len(graphs)-1] {
		page, err := l.opts.Log.Streams(ctx, cursor, listedPage)
		if err != nil {
			return nil, false, err
		}
		graphs = append(graphs, page...)
		if len(page) < listedPage {
			return graphs, true, nil
		}
	}
	return graphs, false, nil
}

// weigh returns how many events the streams of graphs hold, and how many bytes they take with their indexes.
func (l *look) weigh(ctx context.Context, graphs []string) (events, bytes int64, err error) {
	client := l.opts.Client
	for _, graph := range graphs {
		length, err := client.Do(ctx, client.B().Xlen().Key(l.keys.Events(graph)).Build()).AsInt64()
		if err != nil {
			return 0, 0, err
		}
		for _, key := range []string{l.keys.Events(graph), l.keys.Operations(graph)} {
			size, err := client.Do(ctx, client.B().MemoryUsage().Key(key).Build()).AsInt64()
			if err != nil && !isNil(err) {
				return 0, 0, err
			}
			bytes += size
		}
		events += length
	}
	return events, bytes, nil
}

// rate returns how many events a second came to graph of late.
func (l *look) rate(ctx context.Context, graph string) (float64, error) {
	newest, err := l.opts.Store.ReadBackward(ctx, graph, 0, recentMost)
	if err != nil {
		if isTrouble(err) {
			return 0, err
		}
		return 0, nil // a broken graph is found by others
	}
	now := time.Now()
	for i, event := range newest {
		if at, ok := written(event); !ok || now.Sub(at) > recent {
			return float64(i) / recent.Seconds(), nil
		}
	}
	if len(newest) < recentMost {
		return float64(len(newest)) / recent.Seconds(), nil
	}
	oldest, _ := written(newest[len(newest)-1])
	return float64(len(newest)) / max(now.Sub(oldest), time.Second).Seconds(), nil
}

func written(event eventstore.Event) (time.Time, bool) {
	decoded, err := projection.DecodeEvent(event.Data)
	return time.UnixMilli(decoded.Timestamp), err == nil
}

// headroom returns how many bytes there are left, if all masters tell. Graphs are spread evenly: the fullest decides.
func (l *look) headroom() (left int64, known bool) {
	masters, least, known := int64(0), int64(0), true
	l.masters(func(n *node) {
		used, limit := n.room()
		known = known && limit > 0
		if free := max(0, limit-used); masters == 0 || free < least {
			least = free
		}
		masters++
	})
	return masters * least, known && masters > 0
}
