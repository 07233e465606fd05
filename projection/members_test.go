package projection_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/projection"
)

var documents = []string{
	``,
	`{}`, `{"a":1}`, `{"a":{"b":[1,{"c":"}"}]},"d":"\"\\]"}`, `{"":null}`, `{"é":1,"😀":2,"￿":3}`, `[]`, `[1,"a",null,[{}]]`,
	`{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1 }`, `{"a":1}}`, `{"a":1"b":2}`, `[1 2]`, `[,]`, `{"a`, `{"a\`, `{"a":"\`, `{`, `}`, `"`, `{]`, `{"a":]}`,
	`{"a":true,"a":false}`, `[[[[[[]]]]]]`, `{"\u0000":"\ud83d\ude00"}`,
}

func TestMembersOfMalformed(t *testing.T) {
	for _, text := range []string{``, `{`, `}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{"a":1}}`, `{"a":1"b":2}`, `{"a`, `{"a":"\`, `[1]`, `{"a":1]`, `null`} {
		if _, err := projection.DecodeEvent([]byte(text)); err == nil {
			t.Errorf("decode %q: no error", text)
		}
		for name, value := range projection.Members([]byte(text)) {
			t.Logf("%q: %q %q", text, name, value)
		}
	}
}

// FuzzMembers: no input harms the scanner, and on canonical objects and arrays it agrees with a real decoder.
func FuzzMembers(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		steps := 0
		for range projection.Members(text) {
			steps++
		}
		for range projection.Elements(text) {
			steps++
		}
		if steps > 2*len(text) {
			t.Fatalf("%d steps over %d bytes", steps, len(text))
		}
		projection.Overlay(text, text)
		projection.Difference(text, []byte(`{"a":1}`))
		projection.CompareNames(text, []byte("a"))
		projection.Member(text, "a")

		canonical, err := projection.Canonical(text)
		if err != nil {
			return
		}
		switch canonical.Kind() {
		case '{':
			names, values := decodeMembers(t, canonical)
			i := 0
			for name, value := range projection.Members(canonical) {
				quoted := `"` + string(name) + `"`
				if i >= len(names) || projection.Text(jsontext.Value(quoted)) != names[i] || !bytes.Equal(value, values[i]) {
					t.Fatalf("%s: member %d is %q %s, want %q", canonical, i, name, value, names)
				}
				i++
			}
			if i != len(names) {
				t.Fatalf("%s: %d members, want %d", canonical, i, len(names))
			}
		case '[':
			var want []jsontext.Value
			decoder := jsontext.NewDecoder(bytes.NewReader(canonical))
			read(t, decoder)
			for decoder.PeekKind() != ']' {
				want = append(want, value(t, decoder))
			}
			i := 0
			for element := range projection.Elements(canonical) {
				if i >= len(want) || !bytes.Equal(element, want[i]) {
					t.Fatalf("%s: element %d is %s, want %s", canonical, i, element, want)
				}
				i++
			}
			if i != len(want) {
				t.Fatalf("%s: %d elements, want %d", canonical, i, len(want))
			}
		}
	})
}

func decodeMembers(t *testing.T, object jsontext.Value) (names []string, values []jsontext.Value) {
	t.Helper()
	decoder := jsontext.NewDecoder(bytes.NewReader(object))
	read(t, decoder)
	for decoder.PeekKind() != '}' {
		names = append(names, read(t, decoder).String())
		values = append(values, value(t, decoder))
	}
	return names, values
}

func read(t *testing.T, decoder *jsontext.Decoder) jsontext.Token {
	t.Helper()
	token, err := decoder.ReadToken()
	if err != nil {
		t.Fatal(err)
	}
	return token.Clone()
}

func value(t *testing.T, decoder *jsontext.Decoder) jsontext.Value {
	t.Helper()
	value, err := decoder.ReadValue()
	if err != nil {
		t.Fatal(err)
	}
	return value.Clone()
}

// object draws a canonical object without null at the top level, as entities are.
func object(t *rapid.T, label string) jsontext.Value {
	names := rapid.SliceOfNDistinct(rapid.OneOf(rapid.StringMatching(`[a-e]{1,2}`), rapid.String(),
		rapid.SampledFrom([]string{"😀", "￿", "\ue000", "é", "\"", "\\", "\x00", "\x7f", "/", "</script>", "\u2028"})), 0, 8, rapid.ID[string]).Draw(t, label)
	text := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		quoted, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			t.Skip("not UTF-8")
		}
		text = append(append(text, quoted...), ':')
		text = append(text, rapid.SampledFrom([]string{`0`, `1e30`, `"x"`, `[]`, `{"a":null}`, `true`, `"\"}"`, `[1,{"b":"]"}]`}).Draw(t, "value")...)
	}
	canonical, err := projection.Canonical(append(text, '}'))
	if err != nil {
		t.Fatalf("canonical form of %s: %v", text, err)
	}
	return canonical
}

func TestOverlayAndDifferenceAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := object(t, "before"), object(t, "after")
		set, was := projection.Difference(before, after)
		if set == nil || was == nil {
			if !bytes.Equal(before, after) {
				t.Fatalf("no difference of %s and %s", before, after)
			}
			return
		}
		for _, text := range []jsontext.Value{set, was} {
			if canonical, err := projection.Canonical(text); err != nil || !bytes.Equal(canonical, text) {
				t.Fatalf("%s is not canonical: %v", text, err)
			}
		}
		if got := projection.Overlay(before, set); !bytes.Equal(got, after) {
			t.Fatalf("%s with %s over it: got %s, want %s", before, set, got, after)
		}
		if got := projection.Overlay(after, was); !bytes.Equal(got, before) {
			t.Fatalf("%s with %s over it: got %s, want %s", after, was, got, before)
		}
	})
}

func TestOverlay(t *testing.T) {
	tests := []struct{ object, set, want string }{
		{`{}`, `{}`, `{}`},
		{`{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{`{"a":1}`, `{"b":null}`, `{"a":1}`},
		{`{"b":1}`, `{"a":{"x":null},"c":3}`, `{"a":{"x":null},"b":1,"c":3}`},
		{`{"a":1}`, `{"a":null}`, `{}`},
	}
	for _, test := range tests {
		if got := projection.Overlay([]byte(test.object), []byte(test.set)); string(got) != test.want {
			t.Errorf("%s over %s: got %s, want %s", test.set, test.object, got, test.want)
		}
	}
}

// TestCompareNames holds the order against the one of the canonical form itself.
func TestCompareNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var names [][]byte
		for name := range projection.Members(object(t, "object")) {
			names = append(names, name)
		}
		for i := range names {
			for j := range names {
				want := min(max(i-j, -1), 1)
				if got := projection.CompareNames(names[i], names[j]); min(max(got, -1), 1) != want {
					t.Fatalf("compare %q and %q: got %d, want %d", names[i], names[j], got, want)
				}
			}
		}
	})
}

func TestCanonicalRefuses(t *testing.T) {
	for _, text := range []string{`{"a":1,"a":2}`, `{"a":1} x`, `"` + "\xff" + `"`, `"\ud800"`, `[1,]`, ``, strings.Repeat("[", 20000)} {
		if got, err := projection.Canonical([]byte(text)); err == nil {
			t.Errorf("canonical form of %.40q: got %.40s", text, got)
		}
	}
	if got, err := projection.Canonical([]byte(` {"b" : 1.0, "a":1E3}`)); err != nil || string(got) != `{"a":1000,"b":1}` {
		t.Errorf("got %s, %v", got, err)
	}
}
