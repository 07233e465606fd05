package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is the server under test; root is the module's folder.
var binary, root string

var seed = flag.Uint64("e2e.seed", uint64(time.Now().UnixNano()), "seed of what the tests choose at random")

func TestMain(m *testing.M) {
	if address := os.Getenv(subscribeTo); address != "" {
		os.Exit(subscribe(address))
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	fmt.Printf("e2e: -e2e.seed=%d\n", *seed)
	dir, err := os.MkdirTemp("", "graphy-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if root, err = filepath.Abs("../../.."); err == nil {
		binary, err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer shared.end()
	return m.Run()
}

func build(dir string) (string, error) {
	path := filepath.Join(dir, "graphy")
	args := []string{"build", "-o", path}
	if underRace {
		args = append(args, "-race")
	}
	output, err := exec.Command("go", append(args, "graphy/cmd/graphy")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, output)
	}
	return path, nil
}

// random returns a generator of its own for each test, from the seed and the test's name.
func random(t testing.TB) *rand.Rand {
	salt := uint64(0)
	for _, b := range []byte(t.Name()) {
		salt = salt*31 + uint64(b)
	}
	return rand.New(rand.NewPCG(*seed, salt))
}
