package graphfile

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	graphmlSpace = "http://graphml.graphdrawing.org/xmlns"
	// graphySpace holds what Graphy's own GraphML says beyond the format; other programs pass over it.
	graphySpace = "urn:graphy:graphml"
)

// graphmlKey is a declared property. Its kind is a type of GraphML, or "json" for what has no type there.
type graphmlKey struct {
	id, domain, name, kind string
	fallback               *string
}

func newGraphMLKey(start xml.StartElement) graphmlKey {
	key := graphmlKey{domain: "all", kind: "string"}
	named, yfiles := false, ""
	for _, attr := range start.Attr {
		switch attr.Name.Local {
		case "id":
			key.id = attr.Value
		case "for":
			key.domain = attr.Value
		case "attr.name":
			if !named {
				key.name, named = attr.Value, true
			}
		case "attr.type":
			if key.kind != "json" {
				key.kind = strings.ToLower(attr.Value)
			}
		case "yfiles.type":
			yfiles = attr.Value
		case "type":
			if attr.Name.Space == graphySpace && attr.Value == "json" {
				key.kind = "json"
			}
		case "name":
			if attr.Name.Space == graphySpace {
				if text, ok := reference(jsontext.Value(attr.Value)); ok && jsontext.Value(attr.Value).IsValid() {
					key.name, named = text, true
				}
			}
		}
	}
	if !named {
		key.name = key.id
		if yfiles != "" {
			key.name = yfiles
		}
	}
	return key
}

// parse returns the text of a datum as JSON, by the key's type; what does not fit the type stays a string.
func (k graphmlKey) parse(text string, notes *notes) jsontext.Value {
	trimmed := strings.TrimSpace(text)
	switch k.kind {
	case "json":
		if value := jsontext.Value(trimmed); value.IsValid() {
			return value.Clone()
		}
	case "boolean", "bool":
		switch strings.ToLower(trimmed) {
		case "true", "1":
			return jsontext.Value("true")
		case "false", "0":
			return jsontext.Value("false")
		}
	case "int", "integer", "long", "float", "double":
		if value, ok := numberOf(trimmed); ok {
			return value
		}
	default:
		return quote(text)
	}
	notes.add("values that do not fit the type of their key were kept as strings", strconv.Quote(text)+" of "+k.name)
	return quote(text)
}

func numberOf(text string) (jsontext.Value, bool) {
	if value := jsontext.Value(text); value.Kind() == '0' && value.IsValid() {
		return value, true
	}
	parsed, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(parsed, 0) || math.IsNaN(parsed) || strings.ContainsAny(text, "xX_") {
		return nil, false
	}
	return jsontext.Value(strconv.FormatFloat(parsed, 'g', -1, 64)), true
}

// inXML tells whether XML can hold text as it is.
func inXML(text string) bool {
	for _, r := range text {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// jsonInXML writes canonical JSON with escapes for all that XML cannot hold; control characters have theirs already.
func jsonInXML(value jsontext.Value) string {
	var out strings.Builder
	for _, r := range string(value) {
		if r == 0xFFFE || r == 0xFFFF {
			out.WriteString(`\u` + strconv.FormatInt(int64(r), 16))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}
