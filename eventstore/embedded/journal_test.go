package embedded

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"graphy/eventstore"
)

// named is a record whose stream tells records apart.
func named(name string) record {
	return record{kind: kindAppend, stream: name, events: chain(eventstore.Position{}, name, 1)}
}

// filled returns the bytes of a journal of n frames of one record each, "r0" to "r<n-1>", and where each frame ends.
func filled(t *testing.T, n int) (content []byte, ends []int64) {
	t.Helper()
	j, path := newJournal(t)
	for i := range n {
		if err := j.append(named(fmt.Sprintf("r%d", i))); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, j.end)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content, ends
}

// openBytes opens a journal with the given content.
func openBytes(t *testing.T, content []byte) (*journal, string, []string, error) {
	t.Helper()
	path := journalPath(t.TempDir())
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	j, names, err := replayAll(path)
	return j, path, names, err
}

func TestTornTailIsCutAtEveryOffset(t *testing.T) {
	whole, ends := filled(t, 3)
	for size := ends[1]; size < ends[2]; size++ {
		j, path, names, err := openBytes(t, whole[:size])
		if err != nil || !slices.Equal(names, []string{"r0", "r1"}) {
			t.Fatalf("cut at %d of %d: got %v, %v, want r0 r1", size, ends[2], names, err)
		}
		if err := j.append(named("after")); err != nil { // the next append follows the last whole frame
			t.Fatal(err)
		}
		j.close()
		j, names, err = replayAll(path)
		if err != nil || !slices.Equal(names, []string{"r0", "r1", "after"}) {
			t.Fatalf("cut at %d, then appended: got %v, %v", size, names, err)
		}
		j.close()
	}
}

func TestTornTailOfZerosOrGarbageIsCut(t *testing.T) {
	whole, ends := filled(t, 2)
	for name, tail := range map[string][]byte{
		"zeros":           make([]byte, 5000),
		"garbage":         []byte("no frame at all, and longer than a header"),
		"half a marker":   []byte(frameMarker[:2]),
		"zeros in a page": append(slices.Clone(whole[ends[0]:ends[1]-20]), make([]byte, 20)...),
	} {
		j, _, names, err := openBytes(t, append(slices.Clone(whole), tail...))
		if err != nil || !slices.Equal(names, []string{"r0", "r1"}) || j.end != ends[1] {
			t.Fatalf("%s: got %v, %v, want r0 r1", name, names, err)
		}
		j.close()
	}
}

func TestCutIsLogged(t *testing.T) {
	whole, ends := filled(t, 2)
	_, path, _, err := openBytes(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, ends[1]-3); err != nil {
		t.Fatal(err)
	}
	logs, seen := observer.New(zap.WarnLevel)
	j, err := openJournal(path, zap.New(logs), func(int64) {}, func(record, int, int64) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if got := seen.FilterField(zap.Int64("bytes", ends[1]-3-ends[0])).FilterField(zap.String("file", path)).Len(); got != 1 {
		t.Errorf("log says %v, want one line with file and bytes", seen.All())
	}
	if info, err := os.Stat(path); err != nil || info.Size() != ends[0] {
		t.Errorf("file: %v, %v, want %d bytes", info, err, ends[0])
	}
}

func TestFlippedByteBeforeTheLastFrameIsAnError(t *testing.T) {
	whole, ends := filled(t, 3)
	for at := int64(0); at < ends[1]; at++ {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			damaged := slices.Clone(whole)
			damaged[at] ^= flip
			j, path, names, err := openBytes(t, damaged)
			if err == nil {
				j.close()
				t.Fatalf("byte %d flipped with %#x: opened with %v", at, flip, names)
			}
			var corrupt *CorruptError
			start := int64(0) // of the frame that byte is in
			for _, from := range []int64{headerSize, ends[0]} {
				if at >= from {
					start = from
				}
			}
			if !errors.As(err, &corrupt) || corrupt.File != path || corrupt.Offset != start {
				t.Fatalf("byte %d flipped with %#x: got %v, want a *CorruptError at offset %d", at, flip, err, start)
			}
			if now, _ := os.ReadFile(path); !slices.Equal(now, damaged) {
				t.Fatalf("byte %d flipped: the damaged file was changed", at)
			}
		}
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	newer := fileHeader(newestFormat + 1)
	for name, content := range map[string][]byte{"empty": nil, "text": []byte("hello, this is no journal"), "newer": newer} {
		if _, _, _, err := openBytes(t, content); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestAppendsShareFsyncs(t *testing.T) {
	j, path := newJournal(t)
	f := breakFile(j)
	f.hold, f.entered = make(chan struct{}), make(chan struct{}, 1000)
	const records = 200
	var wg sync.WaitGroup
	for i := range records {
		wg.Go(func() {
			if err := j.append(named(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			<-f.entered // the first fsync is under way: the others gather meanwhile
		}
	}
	for gathered := 0; gathered < records-1; {
		j.mu.Lock()
		gathered = 0
		for _, g := range j.waiting {
			for rest := g.frame[frameHeader:]; len(rest) > 0; gathered++ {
				_, rest, _ = decodeRecord(rest)
			}
		}
		j.mu.Unlock()
	}
	close(f.hold)
	wg.Wait()
	if got := f.syncs.Load(); got != 2 {
		t.Errorf("%d records took %d fsyncs, want 2", records, got)
	}
	if _, names, err := replayAll(path); err != nil || len(names) != records {
		t.Errorf("got %d records, %v, want %d", len(names), err, records)
	}
}

func TestFailedWriteIsTakenBack(t *testing.T) {
	for _, written := range []int{0, 1, 20, 1 << 20} { // bytes that reach the file before the error
		j, path := newJournal(t)
		f := breakFile(j)
		if err := j.append(named("a")); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *faults) { f.write, f.written = errDisk, written })
		if err := j.append(named("b")); !errors.Is(err, errNotWritten) || !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want errNotWritten", err)
		}
		if err := j.err(); err != nil {
			t.Fatalf("journal failed for good: %v", err)
		}
		_, names, err := replayAll(path)
		if err != nil || !slices.Equal(names, []string{"a"}) {
			t.Fatalf("%d bytes written: got %v, %v, want a", written, names, err)
		}
		f.set(func(f *faults) { f.write = nil }) // there is room again
		if err := j.append(named("c")); err != nil {
			t.Fatal(err)
		}
		if _, names, err := replayAll(path); err != nil || !slices.Equal(names, []string{"a", "c"}) {
			t.Fatalf("got %v, %v, want a c", names, err)
		}
	}
}

func TestJournalFailsForGood(t *testing.T) {
	tests := map[string]func(*faults){
		"fsync fails":                         func(f *faults) { f.sync = errDisk },
		"write fails, and cannot be cut off":  func(f *faults) { f.write, f.written, f.truncate = errDisk, 9, errDisk },
		"write fails, and the cut not synced": func(f *faults) { f.write, f.written, f.sync = errDisk, 9, errDisk },
	}
	for name, fault := range tests {
		j, path := newJournal(t)
		f := breakFile(j)
		if err := j.append(named("a")); err != nil {
			t.Fatal(err)
		}
		f.set(fault)
		if err := j.append(named("b")); !errors.Is(err, errInDoubt) {
			t.Errorf("%s: got %v, want errInDoubt", name, err)
		}
		f.set(func(f *faults) { f.write, f.sync, f.truncate = nil, nil, nil })
		if err := j.append(named("c")); !errors.Is(err, errNotWritten) {
			t.Errorf("%s: append afterwards: got %v, want errNotWritten", name, err)
		}
		if j.err() == nil {
			t.Errorf("%s: err says nothing", name)
		}
		if _, names, err := replayAll(path); err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("%s: got %v, %v, want a", name, names, err)
		}
	}
}

func TestGroupsStopGatheringAtTheirLimit(t *testing.T) {
	j, path := newJournal(t)
	f := breakFile(j)
	f.hold, f.entered = make(chan struct{}), make(chan struct{}, 100)
	big := named("big")
	big.events[0].Data = make([]byte, groupLimit/2)
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			if err := j.append(big); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			<-f.entered
		}
	}
	for waiting := 0; waiting < 4; {
		j.mu.Lock()
		waiting = len(j.waiting)
		j.mu.Unlock()
	}
	close(f.hold)
	wg.Wait()
	if _, names, err := replayAll(path); err != nil || len(names) != 5 {
		t.Errorf("got %v, %v, want 5 records", names, err)
	}
}
