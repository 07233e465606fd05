package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"graphy/eventstore"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// open returns a Store that ends with the test.
func open(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("Open(%q): %v", opts.Dir, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// reopen ends s and returns a new Store on its folder.
func reopen(t testing.TB, s *Store, opts Options) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return open(t, opts)
}

// chain returns n events that follow from, each settling one operation of its name.
func chain(from eventstore.Position, stream string, n int) []eventstore.Event {
	events := make([]eventstore.Event, n)
	for i := range events {
		version := from.Version + 1
		data := fmt.Appendf(nil, `{"version":%d,"graph":%q}`, version, stream)
		from = eventstore.Position{Version: version, Hash: eventstore.NextHash(from.Hash, data)}
		events[i] = eventstore.Event{Version: version, Data: data, Hash: from.Hash,
			Operations: []string{fmt.Sprintf("%s-%d", stream, version)}}
	}
	return events
}

// grow appends n single events to stream.
func grow(t testing.TB, s *Store, stream string, n int) {
	t.Helper()
	head, err := s.Head(t.Context(), stream)
	if err != nil {
		t.Fatalf("Head(%q): %v", stream, err)
	}
	for _, event := range chain(head, stream, n) {
		appendAll(t, s, stream, head, []eventstore.Event{event})
		head = event.Position()
	}
}

func appendAll(t testing.TB, s *Store, stream string, expected eventstore.Position, events []eventstore.Event) {
	t.Helper()
	result, err := s.Append(t.Context(), stream, expected, events)
	if err != nil || result.Outcome != eventstore.Applied {
		t.Fatalf("Append(%q, %v): got %+v, %v, want Applied", stream, expected, result, err)
	}
}

// verify checks that stream holds the versions 1 to want, chained, and each operation at its version.
func verify(t testing.TB, s *Store, stream string, want eventstore.Version) {
	t.Helper()
	events, err := s.Read(t.Context(), stream, 0, int(want)+10)
	if err != nil {
		t.Fatalf("Read(%q): %v", stream, err)
	}
	if err := eventstore.VerifyChain(stream, eventstore.Position{}, events); err != nil {
		t.Fatal(err)
	}
	if got := eventstore.Version(len(events)); got != want {
		t.Fatalf("%q has %d events, want %d", stream, got, want)
	}
	ids := make([]string, want)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", stream, i+1)
	}
	versions, err := s.Operations(t.Context(), stream, ids...)
	if err != nil {
		t.Fatalf("Operations(%q): %v", stream, err)
	}
	for i, version := range versions {
		if version != eventstore.Version(i+1) {
			t.Fatalf("operation %q is at version %d, want %d", ids[i], version, i+1)
		}
	}
}

// dir is the folder of the store.
func (s *Store) dir() string { return filepath.Dir(s.lock.Path()) }

// journalPath is where the journal of a folder is.
func journalPath(dir string) string { return filepath.Join(dir, journalName) }

// newJournal opens a journal in a folder of its own and returns it with its path.
func newJournal(t testing.TB) (*journal, string) {
	t.Helper()
	path := journalPath(t.TempDir())
	j, _, err := replayAll(path)
	if err != nil {
		t.Fatalf("open journal: %v", err)
	}
	t.Cleanup(func() { j.close() })
	return j, path
}

// replayAll opens the journal at path and returns the names of its records' streams in order.
func replayAll(path string) (*journal, []string, error) {
	var names []string
	j, err := openJournal(path, zap.NewNop(), func(int64) {}, func(r record, _ int, _ int64) error {
		names = append(names, r.stream)
		return nil
	})
	return j, names, err
}

// faults is a file that fails when told to.
type faults struct {
	file
	mu                    sync.Mutex
	write, sync, truncate error
	written               int // bytes that a failing write leaves behind
	syncs                 atomic.Int64
	hold                  chan struct{} // if set, Sync waits until it is closed
	entered               chan struct{} // if set, Sync says here that it was called
}

var errDisk = errors.New("disk on fire")

// breakFile puts faults under the journal.
func breakFile(j *journal) *faults {
	f := &faults{file: j.file}
	j.file = f
	return f
}

func (f *faults) set(change func(*faults)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *faults) WriteAt(b []byte, at int64) (int, error) {
	f.mu.Lock()
	err, written := f.write, f.written
	f.mu.Unlock()
	if err != nil {
		n, _ := f.file.WriteAt(b[:min(written, len(b))], at)
		return n, err
	}
	return f.file.WriteAt(b, at)
}

func (f *faults) Sync() error {
	f.syncs.Add(1)
	f.mu.Lock()
	err, hold, entered := f.sync, f.hold, f.entered
	f.mu.Unlock()
	if entered != nil {
		entered <- struct{}{}
	}
	if hold != nil {
		<-hold
	}
	if err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *faults) Truncate(size int64) error {
	f.mu.Lock()
	err := f.truncate
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.file.Truncate(size)
}

// soon is a context for what must not take long.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
