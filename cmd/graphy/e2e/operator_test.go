package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// operator runs commands of graphy as somebody at a shell does, with env for settings.
type operator struct {
	env []string
}

// outcome is what a command ended with.
type outcome struct {
	code        int
	out, errors string
}

// run runs a command to its end.
func (o operator) run(t testing.TB, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := o.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("graphy %s: %v", strings.Join(args, " "), err)
	}
	done := outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	for _, trouble := range []string{"DATA RACE", "panic:", "goroutine "} {
		if strings.Contains(done.errors, trouble) {
			t.Errorf("graphy %s said: %s", strings.Join(args, " "), done.errors)
		}
	}
	return done
}

func (o operator) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.SysProcAttr = childAttributes()
	cmd.Env = append(append(cleanEnv(), "GRAPHY_LOG_LEVEL=error"), o.env...)
	cmd.WaitDelay = time.Second
	return cmd
}

// must runs a command that has to end with a code, and returns what it printed.
func (o operator) must(t testing.TB, code int, args ...string) string {
	t.Helper()
	done := o.run(t, args...)
	if done.code != code {
		t.Fatalf("graphy %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), done.code, code, done.out, done.errors)
	}
	return done.out
}

// reports runs a command with --output json and returns its lines.
func (o operator) reports(t testing.TB, code int, args ...string) []object {
	t.Helper()
	var all []object
	for line := range strings.Lines(o.must(t, code, append(args, "--output", "json")...)) {
		if r := decode([]byte(line)); r != nil {
			all = append(all, r)
		}
	}
	return all
}
