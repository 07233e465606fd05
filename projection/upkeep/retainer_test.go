package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphy/eventstore"
	"graphy/projection/upkeep"
)

// shared is a lease in memory; each process has a holder of its own.
type shared struct {
	mu     sync.Mutex
	holder *holder
	until  time.Time
}

type holder struct {
	*shared
	asked int
	fail  error
}

func (h *holder) Hold(_ context.Context, _ string, long time.Duration) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if h.fail != nil {
		return false, h.fail
	}
	if h.holder != nil && h.holder != h && time.Now().Before(h.until) {
		return false, nil
	}
	h.shared.holder, h.until = h, time.Now().Add(long)
	return true, nil
}

func (h *holder) Release(context.Context, string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holder == h {
		h.shared.holder = nil
	}
	return nil
}

// metric returns the value of a metric of the Keeper.
func (w *world) metric(t testing.TB, name string) float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(w.keeper); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestRetainerWalksOverAllGraphs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory()
		for i := range 5 {
			graph := fmt.Sprint("g", i)
			w.write(t, graph, uint64(i), 300)
			if i != 2 {
				w.follow(t, graph)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		lease := &shared{}
		done := make(chan error)
		for range 2 { // processes
			retainer := upkeep.NewRetainer(w.keeper, upkeep.Policy{Events: 100}, &holder{shared: lease}, upkeep.RetainerOptions{})
			go func() { done <- retainer.Run(ctx) }()
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		first := func(graph string) eventstore.Version {
			events, err := w.log.ReadBackward(t.Context(), graph, 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			return events[len(events)-1].Version
		}
		for i, want := range []eventstore.Version{201, 201, 1, 201, 201} { // the third has no read models yet
			if got := first(fmt.Sprint("g", i)); got != want {
				t.Errorf("g%d begins with version %d, want %d", i, got, want)
			}
		}
		w.follow(t, "g2")
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if got := first("g2"); got != 201 {
			t.Errorf("g2 begins with version %d, want 201", got)
		}
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if lease.holder != nil {
			t.Error("the lease was not given back")
		}
		for name, want := range map[string]float64{"graphy_retain_trimmed_events_total": 1000,
			"graphy_retain_failures_total": 0, "graphy_retain_skipped_total": 0} {
			if got := w.metric(t, name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if w.metric(t, "graphy_retain_last_success_timestamp_seconds") == 0 {
			t.Error("no success was noted")
		}
	})
}

// TestRetainerBearsFailures: a graph that fails leaves the others alone (I11), and a failure is told.
func TestRetainerBearsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory()
		for i := range 3 {
			w.write(t, fmt.Sprint("g", i), uint64(i), 300)
			w.follow(t, fmt.Sprint("g", i))
		}
		log := w.log
		w.log = &stubborn{log: log, graph: "g0"}
		w.stores.Maintainer = w.log
		w.keeper = upkeep.New(w.stores, upkeep.Options{})
		lease := &holder{shared: &shared{}, fail: eventstore.ErrUnavailable}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- upkeep.NewRetainer(w.keeper, upkeep.Policy{Events: 100}, lease, upkeep.RetainerOptions{Every: time.Minute}).Run(ctx)
		}()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if lease.asked == 0 || w.metric(t, "graphy_retain_trimmed_events_total") != 0 {
			t.Errorf("without the lease %v events were trimmed", w.metric(t, "graphy_retain_trimmed_events_total"))
		}
		lease.mu.Lock()
		lease.fail = nil
		lease.mu.Unlock()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := w.metric(t, "graphy_retain_trimmed_events_total"); got != 400 {
			t.Errorf("%v events were trimmed, want 400", got)
		}
		if w.metric(t, "graphy_retain_failures_total") == 0 || w.metric(t, "graphy_retain_last_success_timestamp_seconds") != 0 {
			t.Error("the failure was not noted")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// stubborn is a log one graph of which cannot be trimmed.
type stubborn struct {
	log
	graph string
}

func (s *stubborn) Trim(ctx context.Context, graph string, oldest []eventstore.Event) error {
	if graph == s.graph {
		return fmt.Errorf("trim: %w", eventstore.ErrUnavailable)
	}
	return s.log.Trim(ctx, graph, oldest)
}

// TestRetainerLosesTheLease in the middle of a graph: it lets go, and somebody else takes over.
func TestRetainerLosesTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory()
		w.write(t, "g", 1, 300)
		w.follow(t, "g")
		slow := &frozen{log: w.log, entered: make(chan struct{}, 1)}
		w.log, w.stores.Maintainer = slow, slow
		w.keeper = upkeep.New(w.stores, upkeep.Options{Timeout: time.Hour})
		lease := &shared{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- upkeep.NewRetainer(w.keeper, upkeep.Policy{Events: 100}, &holder{shared: lease}, upkeep.RetainerOptions{}).Run(ctx)
		}()
		<-slow.entered // and it stays there until its context ends
		lease.mu.Lock()
		lease.holder, lease.until = &holder{shared: lease}, time.Now().Add(time.Hour)
		lease.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slow.left {
			t.Error("it goes on without the lease")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// frozen is a log that hangs in a Trim.
type frozen struct {
	log
	entered chan struct{}
	left    bool
}

func (f *frozen) Trim(ctx context.Context, _ string, _ []eventstore.Event) error {
	f.entered <- struct{}{}
	<-ctx.Done()
	f.left = true
	return errors.Join(eventstore.ErrUnknown, ctx.Err())
}

func TestRetainerWithoutAPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- upkeep.NewRetainer(inMemory().keeper, upkeep.Policy{}, nil, upkeep.RetainerOptions{}).Run(ctx)
		}()
		time.Sleep(time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
