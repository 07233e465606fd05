package projection_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

func TestWith(t *testing.T) {
	tests := []struct{ object, name, value, want string }{
		{`{}`, "b", `1`, `{"b":1}`},
		{`{"a":1}`, "b", `null`, `{"a":1,"b":null}`},
		{`{"c":[{}]}`, "b", `1`, `{"b":1,"c":[{}]}`},
		{`{"a":"x","c":2}`, "b", `{"x":1}`, `{"a":"x","b":{"x":1},"c":2}`},
		{`{"b":1}`, "b", `22`, `{"b":22}`},
		{`{"a":1,"b":{"long":"value"},"c":3}`, "b", `2`, `{"a":1,"b":2,"c":3}`},
		{`{"a":1,"b":2}`, "b", `"longer than before"`, `{"a":1,"b":"longer than before"}`},
		{`{"":1,"b\n":2,"é":3}`, "b", `0`, `{"":1,"b":0,"b\n":2,"é":3}`},
	}
	for _, test := range tests {
		for _, room := range []int{0, 3, 100} { // in its own memory or another
			object := append(make(jsontext.Value, 0, len(test.object)+room), test.object...)
			if got := projection.With(object, test.name, []byte(test.value)); string(got) != test.want {
				t.Errorf("%s with %s %s: got %s, want %s", test.object, test.name, test.value, got, test.want)
			}
		}
	}
}
