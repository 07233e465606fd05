package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/projection"
)

func TestMergeSets(t *testing.T) {
	tests := []struct{ name, base, server, client, want string }{
		{"both added", `["a"]`, `["a","b"]`, `["a","c"]`, `["a","b","c"]`},
		{"both added alike, and more", `[]`, `[1,2]`, `[3,2]`, `[1,2,3]`},
		{"of no base", ``, `["b"]`, `["c","a"]`, `["b","c","a"]`},
		{"both removed", `[1,2,3]`, `[2,3]`, `[1,2]`, `[2]`},
		{"all removed", `[1,2]`, `[1]`, `[2]`, `[]`},
		{"removed and added", `[1,2]`, `[2]`, `[1,2,3]`, `[2,3]`},
		{"the server's order", `[1,2,3]`, `[3,2,1]`, `[1,3,4]`, `[3,1,4]`},
		{"the client's additions in its order", `[1]`, `[0,1]`, `[9,1,7]`, `[0,1,9,7]`},
		{"scalars of every kind", `[1,"1",null]`, `["1",null,true]`, `[1,"1",null,false]`, `["1",null,true,false]`},
		{"equal numbers", `[]`, `[1.0]`, `[1,2]`, `[1,2]`},
		{"a double", `[1]`, `[1,1]`, `[1,2]`, `unmergeable`},
		{"a double in the base", `[1,1]`, `[1]`, `[1,2]`, `unmergeable`},
		{"an object in it", `[]`, `[{}]`, `[1]`, `unmergeable`},
		{"an array in it", `[]`, `[1]`, `[[]]`, `unmergeable`},
		{"arrays where a string was", `""`, `[1]`, `[2]`, `unmergeable`},
		{"arrays where null was", `null`, `[1]`, `[2]`, `unmergeable`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { checkMerge(t, test.base, test.server, test.client, test.want) })
	}
}

func mergeArray(elements []string) jsontext.Value {
	return jsontext.Value("[" + strings.Join(elements, ",") + "]")
}

// TestMergeOfSetsIsUnionWithoutRemovals holds the merge against what it means, element by element, whichever of the
// two is the server.
func TestMergeOfSetsIsUnionWithoutRemovals(t *testing.T) {
	draw := rapid.SliceOfDistinct(rapid.SampledFrom([]string{`0`, `1`, `-1.5`, `"a"`, `"1"`, `"\n"`, `null`, `true`, `""`}), rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		base, server, client := draw.Draw(t, "base"), draw.Draw(t, "server"), draw.Draw(t, "client")
		var sorted [2][]string
		for i, sides := range [][2][]string{{server, client}, {client, server}} {
			value, outcome := merge3(mergeArray(base), mergeArray(sides[0]), mergeArray(sides[1]))
			if outcome != merged {
				t.Fatalf("got %v", outcome)
			}
			for element := range projection.Elements(value) {
				sorted[i] = append(sorted[i], string(element))
			}
			slices.Sort(sorted[i])
		}
		if !slices.Equal(sorted[0], sorted[1]) {
			t.Fatalf("%s and, the other way round, %s", sorted[0], sorted[1])
		}
		for _, element := range slices.Concat(base, server, client) {
			there := 0
			for _, in := range [][]string{server, client} {
				if slices.Contains(in, element) {
					there++
				}
			}
			want := there == 2 || there == 1 && !slices.Contains(base, element)
			if _, got := slices.BinarySearch(sorted[0], element); got != want {
				t.Fatalf("%s in %s: got %t, want %t", element, sorted[0], got, want)
			}
		}
	})
}
