package embedded

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"graphy/eventstore"
)

// childDir makes the test binary a process that appends to a Store in the folder it names, until it is killed.
const childDir = "GRAPHY_TEST_EMBEDDED_CHILD_DIR"

// childUpkeep has it also set bases, trim and rewrite.
const childUpkeep = "GRAPHY_TEST_EMBEDDED_CHILD_UPKEEP"

const childGraphs = 4

// runChild appends batches to several graphs at once and prints each acknowledgement.
func runChild(dir string) {
	s, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := range childGraphs {
		go appendForEver(s, fmt.Sprintf("g%d", i))
	}
	select {}
}

func appendForEver(s *Store, stream string) {
	ctx := context.Background()
	head, err := s.Head(ctx, stream)
	for err == nil {
		events := chain(head, stream, 1+rand.IntN(3))
		var result eventstore.AppendResult
		if result, err = s.Append(ctx, stream, head, events); err == nil && result.Outcome != eventstore.Applied {
			err = fmt.Errorf("%q: %+v", stream, result)
		}
		head = events[len(events)-1].Position()
		if err == nil && os.Getenv(childUpkeep) != "" {
			err = keepUp(ctx, s, stream, head)
		}
		if err == nil {
			fmt.Printf("%s %d\n", stream, head.Version) // one write to the pipe: it outlives the process
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// keepUp does now and then what operators do, with some of what the stream holds.
func keepUp(ctx context.Context, s *Store, stream string, head eventstore.Position) error {
	first := s.firstEvent(stream)
	kept, err := s.Read(ctx, stream, first-1, 1000)
	if err != nil {
		return err
	}
	for i := range kept {
		kept[i].Operations = []string{fmt.Sprintf("%s-%d", stream, kept[i].Version)}
	}
	base := eventstore.Base{Position: kept[len(kept)/2].Position(), Data: fmt.Appendf(nil, "state at %d", kept[len(kept)/2].Version)}
	switch rand.IntN(8) {
	case 0:
		return s.SetBase(ctx, stream, base)
	case 1:
		if err := s.SetBase(ctx, stream, base); err != nil {
			return err
		}
		return s.Trim(ctx, stream, kept[:len(kept)/4])
	case 2:
		r, err := s.Rewrite(ctx, stream, base)
		if err != nil {
			return err
		}
		if err := r.Write(ctx, kept[len(kept)/2+1:]); err != nil || rand.IntN(2) == 0 { // and is abandoned
			return err
		}
		_, err = r.Commit(ctx, head)
		return err
	}
	return nil
}

// TestI1I2KilledAtUpkeep kills a process that also trims and rewrites: what is there begins with a base that reaches it,
// chains from there, and goes as far as was acknowledged.
func TestI1I2KilledAtUpkeep(t *testing.T) {
	t.Setenv(childUpkeep, "1")
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	opts := Options{Dir: t.TempDir()}
	acknowledged := map[string]eventstore.Version{}
	for round := range rounds {
		killAfter(t, opts.Dir, 1+rand.IntN(250), acknowledged)
		if round%3 == 2 {
			compactDir(t, opts)
		}
		s := open(t, opts)
		for stream, version := range acknowledged {
			head, err := s.Head(t.Context(), stream)
			base, errBase := s.Base(t.Context(), stream)
			if err != nil || errBase != nil || head.Version < version {
				t.Fatalf("round %d: %q is at %d, %v, %v, but %d was acknowledged", round, stream, head.Version, err, errBase, version)
			}
			first := s.firstEvent(stream)
			if first > base.Version+1 || base.Version > head.Version || base.Version > 0 && string(base.Data) != fmt.Sprintf("state at %d", base.Version) {
				t.Fatalf("round %d: %q begins with %d, its base is at %d (%s), its head at %d", round, stream, first, base.Version, base.Data, head.Version)
			}
			checkKept(t, s, stream, first, base.Position, head)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// checkKept checks the events of a stream from first on, and its index.
func checkKept(t *testing.T, s *Store, stream string, first eventstore.Version, base, head eventstore.Position) {
	t.Helper()
	kept, err := s.Read(t.Context(), stream, first-1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	from := base
	if len(kept) > 0 && first <= base.Version {
		from, kept = kept[0].Position(), kept[1:]
	}
	if err := eventstore.VerifyChain(stream, from, kept); err != nil {
		t.Fatal(err)
	}
	if s.at(stream, base.Version) != base && first <= base.Version {
		t.Fatalf("%q: its base is of another history", stream)
	}
	if n, err := s.Indexed(t.Context(), stream); err != nil || n != int64(head.Version-first+1) {
		t.Fatalf("%q: %d operations from version %d to %d, %v", stream, n, first, head.Version, err)
	}
}

// TestI1I2KilledProcessLosesNothingAcknowledged kills a writing process again and again. Afterwards every
// acknowledged event is there exactly once, versions have no hole and the chain verifies.
func TestI1I2KilledProcessLosesNothingAcknowledged(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	opts := Options{Dir: t.TempDir()}
	acknowledged := map[string]eventstore.Version{}
	for round := range rounds {
		killAfter(t, opts.Dir, 1+rand.IntN(250), acknowledged)

		s := open(t, opts)
		for stream, version := range acknowledged {
			head, err := s.Head(t.Context(), stream)
			if err != nil || head.Version < version {
				t.Fatalf("round %d: %q is at %d, %v, but %d was acknowledged", round, stream, head.Version, err, version)
			}
			verify(t, s, stream, head.Version)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("acknowledged up to %v", acknowledged)
}

// killAfter runs a child on dir, kills it after a number of acknowledgements, and notes all that it gave.
func killAfter(t *testing.T, dir string, acknowledgements int, acknowledged map[string]eventstore.Version) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for lines := bufio.NewScanner(output); lines.Scan(); seen++ { // goes on after the kill with what is in the pipe
		var stream string
		var version eventstore.Version
		if _, err := fmt.Sscanf(lines.Text(), "%s %d", &stream, &version); err != nil {
			t.Fatalf("child said %q", lines.Text())
		}
		acknowledged[stream] = version
		if seen == acknowledgements {
			child.Process.Kill()
		}
	}
	child.Wait()
	if seen < acknowledgements {
		t.Fatalf("child ended by itself after %d acknowledgements", seen)
	}
}
