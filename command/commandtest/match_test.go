package commandtest

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestDifferences(t *testing.T) {
	known := symbols{events: []stamp{{Timestamp: 1000, Checksum: "aa", Hash: "bb"}, {Timestamp: 2000, Checksum: "cc", Hash: "dd"}}}
	tests := []struct {
		name, want, got string
		same            bool
	}{
		{"only what is named", `{"version":1}`, `{"version":1,"hash":"x"}`, true},
		{"another value", `{"version":1}`, `{"version":2}`, false},
		{"missing", `{"version":1}`, `{}`, false},
		{"null is not there", `{"conflict":null}`, `{}`, true},
		{"null is null", `{"conflict":null}`, `{"conflict":null}`, true},
		{"there after all", `{"conflict":null}`, `{"conflict":{}}`, false},
		{"values are whole", `{"result":{"id":"n1"}}`, `{"result":{"id":"n1","title":"a"}}`, false},
		{"values lack nothing", `{"result":{"id":"n1","title":"a"}}`, `{"result":{"id":"n1"}}`, false},
		{"null in a value is there", `{"set":{"a":null}}`, `{"set":{}}`, false},
		{"stamps that are not named", `{"result":{"id":"n1"}}`, `{"result":{"createdAt":1,"id":"n1","updatedAt":2}}`, true},
		{"stamps that are", `{"result":{"updatedAt":"@2"}}`, `{"result":{"updatedAt":2000}}`, true},
		{"another stamp", `{"result":{"updatedAt":"@2"}}`, `{"result":{"updatedAt":1000}}`, false},
		{"a moment before", `{"writtenAt":"@2-1"}`, `{"writtenAt":1999}`, true},
		{"version 0", `{"checksum":"#0"}`, `{"checksum":"0000000000000000"}`, true},
		{"checksum", `{"checksum":"#2"}`, `{"checksum":"cc"}`, true},
		{"another checksum", `{"checksum":"#2"}`, `{"checksum":"aa"}`, false},
		{"hash", `{"hash":"~1"}`, `{"hash":"bb"}`, true},
		{"an event that is not there", `{"hash":"~3"}`, `{"hash":"bb"}`, false},
		{"anything", `{"id":"*"}`, `{"id":"x"}`, true},
		{"anything but nothing", `{"id":"*"}`, `{}`, false},
		{"lists have a length", `{"paths":[{}]}`, `{"paths":[{},{}]}`, false},
		{"lists have an order", `{"paths":[{"path":"/a"},{"path":"/b"}]}`, `{"paths":[{"path":"/b"},{"path":"/a"}]}`, false},
		{"what is in a list need not be whole", `{"paths":[{"path":"/a"}]}`, `{"paths":[{"path":"/a","id":"n1"}]}`, true},
		{"an object is no list", `{"paths":{}}`, `{"paths":[]}`, false},
		{"a list is no object", `{"paths":[]}`, `{"paths":{}}`, false},
		{"no JSON", `{}`, `{`, false},
		{"a case that is no JSON", `{`, `{}`, false},
	}
	for _, test := range tests {
		differences := known.differences(jsontext.Value(test.want), jsontext.Value(test.got))
		if (len(differences) == 0) != test.same {
			t.Errorf("%s: %s and %s: got %q", test.name, test.want, test.got, differences)
		}
	}
}

func TestNotCanonical(t *testing.T) {
	for _, test := range []struct {
		changes string
		found   int
	}{
		{`[{"op":"put","value":{"a":1,"b":"é"}}]`, 0},
		{`[]`, 0},
		{`[{"op":"put","value":{"b":1,"a":1}}]`, 1},
		{`[{"op":"patch","set":{"a":1.0},"was":{"a": 1}}]`, 2},
		{`[{"op":"delete","was":{"a":"\u00e9"}}]`, 1},
	} {
		if found := notCanonical(jsontext.Value(`{"changes":` + test.changes + `}`)); len(found) != test.found {
			t.Errorf("%s: got %q, want %d", test.changes, found, test.found)
		}
	}
}
