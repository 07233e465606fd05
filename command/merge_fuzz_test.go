package command

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// FuzzMerge: three values merge into a canonical one or not at all, the same way whoever is called server.
func FuzzMerge(f *testing.F) {
	for _, test := range mergeWords {
		f.Add([]byte(mergeQuoted(test.base)), []byte(mergeQuoted(test.server)), []byte(mergeQuoted(test.client)))
	}
	for _, texts := range [][3]string{
		{`{"a":"x y","b":[1]}`, `{"a":"x z","b":[1,2]}`, `{"a":"w y","b":[]}`}, {``, `[1]`, `["1"]`}, {``, `{"a":{}}`, `{"\u0000":1}`},
		{`{"a":{"a":{"a":"b"}}}`, `{"a":{"a":{"a":"c"}}}`, `{"a":{"a":{"a":"b d"}}}`}, {`[1,1]`, `[1]`, `[]`}, {`"\ud83d\udc4d"`, `"\ud83d\udc4d\ud83c\udffd"`, `"a"`},
	} {
		f.Add([]byte(texts[0]), []byte(texts[1]), []byte(texts[2]))
	}
	f.Fuzz(func(t *testing.T, base, server, client []byte) {
		var values [3]jsontext.Value
		for i, text := range [][]byte{base, server, client} {
			if len(text) == 0 {
				continue
			}
			canonical, err := projection.Canonical(text)
			if err != nil {
				return
			}
			values[i] = canonical
		}
		value, outcome := merge3(values[0], values[1], values[2])
		if outcome != merged && value != nil {
			t.Fatalf("%s with outcome %d", value, outcome)
		}
		if value != nil {
			if canonical, err := projection.Canonical(value); err != nil || !bytes.Equal(canonical, value) {
				t.Fatalf("%s is not canonical, %s is: %v", value, canonical, err)
			}
		}
		again, outcomeAgain := merge3(values[0], values[2], values[1])
		if outcome != outcomeAgain || len(value) != len(again) || !bytes.Contains(value, []byte("[")) && !bytes.Equal(value, again) {
			t.Fatalf("%s, %d, and the other way round %s, %d", value, outcome, again, outcomeAgain)
		}
	})
}
