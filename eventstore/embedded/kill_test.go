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
		if err == nil {
			fmt.Printf("%s %d\n", stream, head.Version) // one write to the pipe: it outlives the process
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
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
