package auth

import "testing"

func TestReadObject(t *testing.T) {
	tests := []struct {
		data string
		good bool
	}{
		{`{}`, true},
		{` {"a":"x" , "b":[{}]} `, true},
		{`{"A":1}`, true},
		{`{"b":{"a":1}}`, true},
		{``, false},
		{`{`, false},
		{`{"a":"x"`, false},
		{`{"a":"x",}`, false},
		{`{"a"}`, false},
		{`{"a":1}`, false},
		{`{"a":null}`, false},
		{`{"a":"x","a":"x"}`, false},
		{`{"b":1,"b":1}`, false},
		{`{"b":[{"c":1,"c":1}]}`, false},
		{`{}{}`, false},
		{`{} x`, false},
		{`[]`, false},
		{`null`, false},
		{"{\"b\":\"\xff\"}", false},
		{"{\"\xff\":1}", false},
	}
	for _, test := range tests {
		var a string
		if err := readObject([]byte(test.data), map[string]any{"a": &a}); (err == nil) != test.good {
			t.Errorf("readObject(%q): got %v, want good: %v", test.data, err, test.good)
		}
	}
}
