package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// longDigits finds what may be an integer beyond 2^53; false alarms cost time only.
var longDigits = regexp.MustCompile(`[0-9]{16}`)

// exponents writes large whole numbers with an exponent. In canonical form a double like 1.2345678901234568e20 is
// 123456789012345680000, digits that no double holds exactly, which the API refuses in an integer, as it cannot know
// that nothing is lost.
func exponents(value jsontext.Value) jsontext.Value {
	if !longDigits.Match(value) {
		return value
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	var out bytes.Buffer
	encoder := jsontext.NewEncoder(&out)
	for decoder.PeekKind() != 0 {
		item, err := decoder.ReadToken()
		if err != nil {
			return value
		}
		if item.Kind() != '0' {
			err = encoder.WriteToken(item)
		} else {
			err = encoder.WriteValue(jsontext.Value(exponent(item.String())))
		}
		if err != nil {
			return value
		}
	}
	return bytes.TrimSpace(out.Bytes())
}

func exponent(number string) string {
	parsed, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.ContainsAny(number, ".eE") || strconv.FormatFloat(parsed, 'f', 0, 64) == number {
		return number
	}
	return strconv.FormatFloat(parsed, 'e', -1, 64)
}
