package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// printer writes reports to standard output: tables for people, or JSON as the API gives it, an object on each line.
type printer struct {
	out  io.Writer
	json bool
}

func (f *operatorFlags) printer(out io.Writer) *printer {
	return &printer{out: out, json: f.output == outputJSON}
}

// object writes an object as it came on a line of its own.
func (p *printer) object(raw jsontext.Value) error {
	compact := bytes.Clone(raw)
	if err := (*jsontext.Value)(&compact).Compact(); err != nil {
		return err
	}
	_, err := p.out.Write(append(compact, '\n'))
	return err
}

// value writes a value of our own as a line of JSON.
func (p *printer) value(value any) error {
	encoded, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return err
	}
	return p.object(encoded)
}

// linef writes a line for people.
func (p *printer) linef(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// table collects rows for people.
type table struct {
	head []string
	rows [][]string
}

func newTable(head ...string) *table { return &table{head: head} }

// add adds a row. Values of control characters, which a terminal might obey, are shown as escapes.
func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = plain(fmt.Sprint(cell))
		if row[i] == "" {
			row[i] = "-"
		}
	}
	t.rows = append(t.rows, row)
}

// print writes the table, its columns aligned; without rows only what to say then.
func (p *printer) print(t *table, none string) error {
	if len(t.rows) == 0 {
		p.linef("%s", none)
		return nil
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// fields writes names and values below each other.
func (p *printer) fields(pairs ...any) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if value := plain(fmt.Sprint(pairs[i+1])); value != "" {
			fmt.Fprintf(w, "%s\t%s\n", pairs[i], value)
		}
	}
	return w.Flush()
}

// plain returns text on one line that no terminal takes for commands.
func plain(text string) string {
	clean := func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' }
	if strings.IndexFunc(text, clean) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if clean(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// at shows a time of the API, Unix milliseconds.
func at(millis int64) string {
	if millis == 0 {
		return ""
	}
	return time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05")
}

// took shows a duration of the API, milliseconds.
func took(millis int64) string {
	d := time.Duration(millis) * time.Millisecond
	if d >= time.Minute {
		d = d.Round(time.Second)
	}
	return d.String()
}

// size shows a number of bytes.
func size(bytes int64) string {
	switch {
	case bytes < 10<<10:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 10<<20:
		return fmt.Sprintf("%d KiB", bytes>>10)
	case bytes < 10<<30:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d GiB", bytes>>30)
}

// plural returns how many of what there are; many is the word for all numbers but one.
func plural[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
