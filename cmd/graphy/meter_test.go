package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Without a terminal a meter writes a line now and then, with one it draws a bar, and quiet it is quiet.
func TestMeter(t *testing.T) {
	for name, test := range map[string]struct {
		terminal, quiet bool
		unit            string
		want            string // "" for a bar
	}{
		"lines": {unit: "graphs", want: "verify: 5 of 100 graphs, fast\nverify: 10 of 100 graphs, fast\n"},
		"bytes": {unit: "bytes", want: "verify: 5 B of 100 B, fast\nverify: 10 B of 100 B, fast\n"},
		"quiet": {quiet: true, unit: "graphs"},
		"bar":   {terminal: true, unit: "graphs"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			clock := frozen
			a := &act{notes: &out, quiet: test.quiet, cli: &cli{now: func() time.Time { return clock }, terminal: func(any) bool { return test.terminal }}}
			m := a.meter("verify", test.unit)
			for done := int64(1); done <= 10; done++ {
				clock = clock.Add(time.Second)
				m.show(done, 100, "fast")
			}
			m.clear()
			switch got := out.String(); {
			case test.terminal:
				if !strings.Contains(got, "verify: fast") || !strings.Contains(got, "/100") || strings.Contains(got, "\n") {
					t.Errorf("got %q", got)
				}
			case got != test.want:
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	var out bytes.Buffer
	a := &act{notes: &out, cli: &cli{now: func() time.Time { return frozen }, terminal: func(any) bool { return false }}}
	m := a.meter("export", "graphs")
	m.last = frozen.Add(-time.Hour)
	if m.show(3, 0, ""); out.String() != "export: 3 graphs\n" {
		t.Errorf("without a total: got %q", out.String())
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		size(900): "900 B", size(20 << 10): "20 KiB", size(20 << 20): "20 MiB", size(20 << 30): "20 GiB",
		took(61_234): "1m1s", took(1_234): "1.234s", at(0): "", at(1): "1970-01-01 00:00:00",
		plural(1, "graph", "graphs"): "1 graph", plural(0, "graph", "graphs"): "0 graphs",
		plain("a\x1b[31m\nb\u2028"): `a\u001b[31m\u000ab\u2028`, plain("Größe"): "Größe",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
