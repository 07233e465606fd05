package command

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// checkMerge merges texts that need not be canonical ("": not there), and holds the outcome against want: the merged
// value, "gone", "overlapping" or "unmergeable".
func checkMerge(t *testing.T, base, server, client, want string) {
	t.Helper()
	values := [3]jsontext.Value{}
	for i, text := range []string{base, server, client} {
		if text == "" {
			continue
		}
		canonical, err := projection.Canonical([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		values[i] = canonical
	}
	value, outcome := merge3(values[0], values[1], values[2])
	if got := mergeGot(value, outcome); got != want {
		t.Errorf("base %s, server %s, client %s:\ngot  %s\nwant %s", base, server, client, got, want)
	}
}

func mergeGot(value jsontext.Value, outcome mergeOutcome) string {
	switch {
	case outcome == overlapping:
		return "overlapping"
	case outcome == unmergeable:
		return "unmergeable"
	case value == nil:
		return "gone"
	}
	return string(value)
}

func TestMergeValues(t *testing.T) {
	tests := []struct{ name, base, server, client, want string }{
		{"one changed", `1`, `2`, `1`, `2`},
		{"the other changed", `1`, `1`, `2`, `2`},
		{"both alike", `1`, `2`, `2`, `2`},
		{"both removed", `1`, ``, ``, `gone`},
		{"one removed", `1`, ``, `1`, `gone`},
		{"one added", ``, ``, `"a"`, `"a"`},
		{"both added alike", ``, `"a"`, `"a"`, `"a"`},
		{"numbers", `1`, `2`, `3`, `unmergeable`},
		{"literals", `null`, `true`, `false`, `unmergeable`},
		{"removed and changed", `"a"`, ``, `"b"`, `unmergeable`},
		{"two strings where none was", ``, `"a"`, `"b"`, `unmergeable`},
		{"two strings where a number was", `1`, `"a"`, `"b"`, `unmergeable`},
		{"string and number", `"a"`, `"b"`, `2`, `unmergeable`},
		{"array and object", `[]`, `[1]`, `{}`, `unmergeable`},

		{"members apart", `{"a":1,"b":1}`, `{"a":2,"b":1}`, `{"a":1,"b":2}`, `{"a":2,"b":2}`},
		{"members added", `{}`, `{"b":1}`, `{"a":1}`, `{"a":1,"b":1}`},
		{"members of no base", ``, `{"b":1}`, `{"a":1}`, `{"a":1,"b":1}`},
		{"members removed", `{"a":1,"b":1,"c":1}`, `{"b":1,"c":1}`, `{"a":1,"c":1}`, `{"c":1}`},
		{"all members removed", `{"a":1,"b":1}`, `{"b":1}`, `{"a":1}`, `{}`},
		{"member both changed alike", `{"a":1,"b":1}`, `{"a":2}`, `{"a":2,"b":1}`, `{"a":2}`},
		{"text in a member", `{"a":"x y"}`, `{"a":"x z"}`, `{"a":"w y"}`, `{"a":"w z"}`},
		{"set in a member of a member", `{"a":{"b":[1]}}`, `{"a":{"b":[1,2]}}`, `{"a":{"b":[]}}`, `{"a":{"b":[2]}}`},
		{"member whose edits overlap", `{"a":"x"}`, `{"a":"y"}`, `{"a":"z"}`, `overlapping`},
		{"member without merge", `{"a":1}`, `{"a":2}`, `{"a":3}`, `unmergeable`},
		{"member removed and changed", `{"a":1}`, `{}`, `{"a":2}`, `unmergeable`},
		{"to look at outweighs no merge", `{"a":1,"b":"x","c":1}`, `{"a":2,"b":"y","c":2}`, `{"a":3,"b":"z","c":3}`, `overlapping`},
		{"objects where a number was", `1`, `{}`, `{"a":1}`, `unmergeable`},
		{"names sort by UTF-16", `{}`, `{"\ufb33":1}`, `{"\ud83d\ude00":2}`, "{\"😀\":2,\"\ufb33\":1}"},
		{"escaped names", `{}`, `{"\"":1,"\u0001":1}`, `{"\\":2}`, `{"\u0001":1,"\"":1,"\\":2}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { checkMerge(t, test.base, test.server, test.client, test.want) })
	}
}

// What is merged is in memory of its own.
func TestMergeOwnsItsMemory(t *testing.T) {
	base, server, client := jsontext.Value(`{"a":[1],"b":"x y"}`), jsontext.Value(`{"a":[1,2],"b":"z y"}`), jsontext.Value(`{"a":[0,1],"b":"x w","c":{}}`)
	for _, values := range [][3]jsontext.Value{{base, server, client}, {base, base, client}, {base, server, base}, {base, server, server}} {
		value, outcome := merge3(values[0], values[1], values[2])
		before := bytes.Clone(value)
		for _, of := range values {
			saved := bytes.Clone(of)
			clear(of)
			if outcome != merged || !bytes.Equal(value, before) {
				t.Errorf("%s became %s", before, value)
			}
			copy(of, saved)
		}
	}
}

// merge3 merges values as the only ones of their command.
func merge3(base, server, client jsontext.Value) (jsontext.Value, mergeOutcome) {
	return newMerger().merge(base, server, client)
}
