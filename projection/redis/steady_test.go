package redis_test

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// BenchmarkSteady is about 11,000 moves a second over 16 graphs, four in each append, once with nobody to project
// them and once with a projector. It reports the CPU time of this process and of Redis: what they differ by is the
// price of projection.
func BenchmarkSteady(b *testing.B) {
	for _, projected := range []bool{false, true} {
		b.Run("projected="+strconv.FormatBool(projected), func(b *testing.B) {
			server := redistest.StartOwn(b)
			store, client := open(b, server)
			writers := writers(b, store)
			if projected {
				projector := projectiontest.Project(b, store, redis.New(client, store.Keys(), redis.Options{}), projection.ProjectorOptions{})
				for _, w := range writers {
					projectiontest.Await(b, projector, w.Graph)
				}
			}
			const perTick, perAppend = 3, 4
			appends := make([][]eventstore.Event, perTick*b.N)
			for i := range appends {
				for range perAppend {
					appends[i] = append(appends[i], writers[i%16].Move("n"+strconv.Itoa(1+2*((i/16*perAppend+len(appends[i]))%100))))
				}
			}
			tick := time.NewTicker(time.Second * perTick * perAppend / 11000)
			defer tick.Stop()
			client.Do(b.Context(), client.B().ConfigResetstat().Build())
			own, redis := ownCPU(b), redisCPU(b, client)
			b.ResetTimer()
			for i := range b.N {
				<-tick.C
				for at := i * perTick; at < (i+1)*perTick; at++ {
					projectiontest.Append(b, store, writers[at%16].Graph.ID, appends[at]...)
				}
			}
			b.StopTimer()
			events := float64(len(appends) * perAppend)
			b.ReportMetric(float64((ownCPU(b)-own).Nanoseconds())/1000/events, "own-µs/event")
			b.ReportMetric(float64((redisCPU(b, client)-redis).Nanoseconds())/1000/events, "redis-µs/event")
			b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
			if projected {
				b.ReportMetric(commits(b, client)/b.Elapsed().Seconds(), "commits/s")
			}
		})
	}
}

// BenchmarkCommit is commits of five moved nodes each on 16 graphs at once, and what they take of Redis.
func BenchmarkCommit(b *testing.B) {
	server := redistest.StartOwn(b)
	store, client := open(b, server)
	models := redis.New(client, store.Keys(), redis.Options{})
	writers := writers(b, store)
	stats := redisCPU(b, client)
	var running sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for _, w := range writers {
		running.Go(func() { toAndFro(b, store, models, w.Graph.ID, b.N/16+1) })
	}
	running.Wait()
	b.ReportMetric(float64((redisCPU(b, client)-stats).Nanoseconds())/1000/float64(16*(b.N/16+1)), "redis-µs/op")
}

// toAndFro moves the read models of a graph to and fro between versions 195 and 200 of its log.
func toAndFro(b *testing.B, log eventstore.Log, models projection.ReadModels, graph string, n int) {
	events, err := log.Read(b.Context(), graph, 0, 200)
	if err != nil || len(events) != 200 {
		b.Errorf("read: %d events, %v", len(events), err)
		return
	}
	nodes := map[string]jsontext.Value{}
	for i := range 5 {
		id := "n" + strconv.Itoa(i)
		nodes[id] = jsontext.Value(`{"createdAt":1760000000000,"id":"` + id + `","position":{"x":12.5,"y":40},"title":"a node","updatedAt":1760000000000}`)
	}
	from := eventstore.Position{}
	for i := range n {
		to := events[194+5*(i%2)].Position()
		update := projection.Update{To: projection.Checkpoint{Position: to, Checksum: 1 << 63, LastModified: 1760000000000,
			LastOperationID: "01K7AAAAAAAAAAAAAAAAAAAAAA", Nodes: 200, Edges: 0},
			Nodes: nodes, ByType: map[string]int64{"UPDATE_NODE_POSITION": 5}}
		if err := models.Commit(b.Context(), graph, from, &update); err != nil {
			b.Error(err)
			return
		}
		from = to
	}
}

func ownCPU(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func redisCPU(b *testing.B, client rueidis.Client) time.Duration {
	user, system := redisInfo(b, client, "cpu", "used_cpu_user"), redisInfo(b, client, "cpu", "used_cpu_sys")
	seconds, _ := strconv.ParseFloat(user, 64)
	more, _ := strconv.ParseFloat(system, 64)
	return time.Duration((seconds + more) * float64(time.Second))
}

// commits returns how many there were, as each of the benchmark's increments one count.
func commits(b *testing.B, client rueidis.Client) float64 {
	calls, _, _ := strings.Cut(strings.TrimPrefix(redisInfo(b, client, "commandstats", "cmdstat_hincrby"), "calls="), ",")
	count, _ := strconv.ParseFloat(calls, 64)
	return count
}

// redisInfo returns the value of a line of INFO, "" if there is none.
func redisInfo(b *testing.B, client rueidis.Client, section, name string) string {
	b.Helper()
	text, err := client.Do(context.Background(), client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		b.Fatal(err)
	}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
