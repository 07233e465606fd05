package projection_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// canonicalForm is the reference: what jsontext makes of a text.
func canonicalForm(text []byte) (jsontext.Value, error) {
	value := jsontext.Value(bytes.Clone(text))
	err := value.Canonicalize()
	return value, err
}

func TestCanonicalPlain(t *testing.T) {
	tests := []struct{ text, want string }{ // want "-": not plain
		{`{}`, `{}`}, {` [ ] `, `[]`}, {`null`, `null`}, {"\ttrue\r\n", `true`}, {`"a b/\u007f"`, `-`}, {"\"a/\u007f\"", "\"a/\u007f\""},
		{`{"b":1,"a":[{"d":false,"c":"x"},[]],"":{}}`, `{"":{},"a":[{"c":"x","d":false},[]],"b":1}`},
		{` { "b" : 1 , "B" : 2 } `, `{"B":2,"b":1}`}, {`{"ab":1,"a":2,"a0":3}`, `{"a":2,"a0":3,"ab":1}`},
		{`{"a":1,"a":1}`, `-`}, {`{"b":1,"a":1,"b":2}`, `-`}, {`{"a":{"a":1,"a":2}}`, `-`}, {`{"a":{"a":{"a":1}}}`, `{"a":{"a":{"a":1}}}`},
		{`0`, `0`}, {`-0`, `-`}, {`-1`, `-1`}, {`999999999999999`, `999999999999999`}, {`-999999999999999`, `-999999999999999`},
		{`1000000000000000`, `-`}, {`0.5`, `0.5`}, {`-0.5`, `-0.5`}, {`0.0`, `0`}, {`-0.0`, `0`}, {`1.0`, `1`}, {`12.50`, `12.5`}, {`0.05`, `0.05`},
		{`0.000001`, `0.000001`}, {`0.0000001`, `1e-7`}, {`-0.00000012`, `-1.2e-7`}, {`123.45678901234567`, `123.45678901234567`},
		{`0.30000000000000004`, `0.30000000000000004`}, {`9007199254740993.0`, `9007199254740992`}, {`12345678901234.5`, `12345678901234.5`},
		{`1000000000000000000000000.5`, `1e+24`}, {`0.1000000000000000055511151231257827`, `-`}, {`1e3`, `-`}, {`1.5E3`, `-`}, {`1e999`, `-`},
		{`01`, `-`}, {`-`, `-`}, {`+1`, `-`}, {`1.`, `-`}, {`.5`, `-`}, {`-.5`, `-`}, {`00`, `-`}, {`-01`, `-`}, {`1x`, `-`}, {`0x1`, `-`}, {`1 2`, `-`},
		{``, `-`}, {` `, `-`}, {`{`, `-`}, {`}`, `-`}, {`[`, `-`}, {`[1,]`, `-`}, {`[,1]`, `-`}, {`[1 2]`, `-`}, {`{"a"}`, `-`}, {`{"a":}`, `-`}, {`{"a":1,}`, `-`},
		{`{,}`, `-`}, {`{a:1}`, `-`}, {`{"a":1]`, `-`}, {`[1}`, `-`}, {`{}{}`, `-`}, {`{}x`, `-`}, {`tru`, `-`}, {`truex`, `-`}, {`nul`, `-`}, {`True`, `-`},
		{`"`, `-`}, {`"a`, `-`}, {`"\n"`, `-`}, {"\"\n\"", `-`}, {"\"\x00\"", `-`}, {`"é"`, `-`}, {"\"\xff\"", `-`}, {"\ufeff1", `-`}, {"\v1", `-`}, {"1\x00", `-`},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("[", 65) + strings.Repeat("]", 65)},
		{strings.Repeat("[", 66) + strings.Repeat("]", 66), `-`}, {strings.Repeat("[", 1<<20), `-`},
	}
	for _, test := range tests {
		got, ok := projection.CanonicalPlain([]byte(test.text))
		if !ok {
			got = jsontext.Value("-")
		}
		if string(got) != test.want {
			t.Errorf("%.100q: got %.100s, want %.100s", test.text, got, test.want)
		}
		checkPlain(t, []byte(test.text))
	}
}

// checkPlain holds CanonicalPlain against the reference.
func checkPlain(t *testing.T, text []byte) {
	t.Helper()
	before := bytes.Clone(text)
	got, ok := projection.CanonicalPlain(text)
	if !bytes.Equal(before, text) {
		t.Fatalf("%.300q was written to", before)
	}
	if !ok {
		return
	}
	if want, err := canonicalForm(text); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%.300q: got %.300s, want %.300s, %v", text, got, want, err)
	}
	if again, ok := projection.CanonicalPlain(got); ok && !bytes.Equal(again, got) {
		t.Fatalf("%.300s becomes %.300s", got, again)
	}
}

func TestCanonicalPlainNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 200_000 {
		var text string
		switch number := math.Float64frombits(random.Uint64()); random.IntN(3) {
		case 0: // doubles of every size, in full
			text = strconv.FormatFloat(number, 'f', random.IntN(25), 64)
		case 1: // as coordinates are
			text = strconv.FormatFloat((random.Float64()-0.5)*math.Pow10(random.IntN(12)-8), 'f', random.IntN(20)-1, 64)
		default: // as digits come
			digits := make([]byte, 1+random.IntN(22))
			for i := range digits {
				digits[i] = "0123456789.09-"[random.IntN(14)]
			}
			text = string(digits)
		}
		if _, ok := projection.CanonicalPlain([]byte(text)); ok {
			accepted++
		}
		checkPlain(t, []byte(text))
	}
	if accepted < 50_000 {
		t.Errorf("%d of 200,000 numbers are plain: too few to prove anything", accepted)
	}
}

// Objects of many members, too, and many at once.
func TestCanonicalPlainLarge(t *testing.T) {
	t.Parallel()
	for _, count := range []int{11, 13, 100, 10_000} {
		names := rand.New(rand.NewPCG(3, 4)).Perm(count)
		var text bytes.Buffer
		for i, name := range names {
			text.WriteString(map[bool]string{true: "{", false: ", "}[i == 0] + `"n` + strconv.Itoa(name) + `" : {"z":[],"a":` + strconv.Itoa(i) + `}`)
		}
		text.WriteByte('}')
		if _, ok := projection.CanonicalPlain(text.Bytes()); !ok {
			t.Errorf("%d members are not plain", count)
		}
		checkPlain(t, text.Bytes())
	}
}

// FuzzCanonicalPlain: what the one pass accepts, jsontext accepts and writes in the same bytes.
func FuzzCanonicalPlain(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	for _, text := range []string{
		`{"operationId":"o","type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n17","position":{"x":12.5,"y":40}},"clientId":"t","timestamp":1760000000000}`,
		`{"b" : [1.50, -0.0, 0.0000001, 123.45678901234567], "a" : {"d":null,"c":true} }`, `[9007199254740993,-0,1e3,01,"\u0061"]`, `{"a":1,"b":2,"a":3}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(checkPlain)
}

func BenchmarkCanonical(b *testing.B) {
	body := []byte(`{"operationId":"01JD0000000000000000000007","type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n17","position":{"x":12.5,"y":40}},"clientId":"tab-1","timestamp":1760000000000}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := projection.Canonical(body); err != nil {
			b.Fatal(err)
		}
	}
}
