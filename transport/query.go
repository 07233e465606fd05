package transport

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"graphy/command"
	"graphy/eventstore"
)

// maxVersion is the highest version that can be asked for: numbers are exact up to there everywhere.
const maxVersion = 1<<53 - 1

// elsewhere are parameters of other routes, which are known by name, and wanted here by mistake.
var elsewhere = []string{"ticket"}

// repeated are parameters that may be given more than once, see takeAll.
var repeated = []string{"graph"}

// query is the parameters of a request, read strictly: a handler takes what it knows, and done refuses the rest.
// Errors are kept, so that handlers read as a list of what they take; done returns the first.
type query struct {
	names, values []string
	err           error
}

// parseQuery decodes what follows the question mark.
func parseQuery(raw string) *query {
	q := &query{}
	for raw != "" && q.err == nil {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair != "" {
			q.add(strings.Cut(pair, "="))
		}
	}
	return q
}

func (q *query) add(name, value string, _ bool) {
	decodedName, err := url.QueryUnescape(name)
	decodedValue, err2 := url.QueryUnescape(value)
	switch {
	case err != nil || err2 != nil:
		q.fail("query parameter %.64q is not percent-encoded as it should be", name)
	case slices.Contains(q.names, decodedName) && !slices.Contains(repeated, decodedName):
		q.fail("query parameter %.64q is given twice", decodedName)
	default:
		q.names = append(q.names, decodedName)
		q.values = append(q.values, decodedValue)
	}
}

func (q *query) fail(format string, args ...any) {
	if q.err == nil {
		q.err = refuse(invalidQuery, format, args...)
	}
}

// take returns a parameter and takes it off the list.
func (q *query) take(name string) (string, bool) {
	i := slices.Index(q.names, name)
	if i < 0 {
		return "", false
	}
	value := q.values[i]
	q.names, q.values = slices.Delete(q.names, i, i+1), slices.Delete(q.values, i, i+1)
	return value, true
}

// takeAll returns all values of a parameter that may be given more than once.
func (q *query) takeAll(name string) (values []string) {
	for value, given := q.take(name); given; value, given = q.take(name) {
		values = append(values, value)
	}
	return values
}

// set takes a flag that is also set by its name alone.
func (q *query) set(name string) bool {
	return q.has(name) && q.choice(name, "", "true", "false") != "false"
}

// has tells whether a parameter is given.
func (q *query) has(name string) bool { return slices.Contains(q.names, name) }

// version takes a version, 0 or above; absent is 0.
func (q *query) version(name string) eventstore.Version {
	return eventstore.Version(q.number(name, 0, 0, maxVersion))
}

// flag takes true or false; absent is false.
func (q *query) flag(name string) bool { return q.choice(name, "true", "false") == "true" }

// millis takes a duration in ms above 0, cut to highest.
func (q *query) millis(name string, absent, highest time.Duration) time.Duration {
	return time.Duration(q.number(name, absent.Milliseconds(), 1, highest.Milliseconds())) * time.Millisecond
}

// count takes a number above 0, cut to highest.
func (q *query) count(name string, absent, highest int) int {
	return int(q.number(name, int64(absent), 1, int64(highest)))
}

// number takes a number written in digits, not below lowest, cut to highest.
func (q *query) number(name string, absent, lowest, highest int64) int64 {
	text, ok := q.take(name)
	if !ok {
		return absent
	}
	number := int64(0)
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			q.fail("query parameter %q is %.64q, not a whole number", name, text)
			return absent
		}
		number = min(number*10+int64(text[i]-'0'), highest)
	}
	if text == "" || number < lowest {
		q.fail("query parameter %q is %.64q, not a whole number from %d up", name, text, lowest)
		return absent
	}
	return number
}

// cursor takes the place where a listing goes on, an id; absent or empty is the beginning.
func (q *query) cursor(name string) string {
	id, _ := q.take(name)
	if id != "" && command.CheckID(id, "") != nil {
		q.fail("query parameter %q is %.128q, which is no valid id", name, id)
	}
	return id
}

// choice takes one of some words; absent is "".
func (q *query) choice(name string, words ...string) string {
	word, ok := q.take(name)
	if ok && !slices.Contains(words, word) {
		q.fail("query parameter %q is %.64q, not one of: %s", name, word, strings.Join(words, ", "))
	}
	return word
}

// done returns what was wrong, which may be that a parameter is left over.
func (q *query) done() error {
	if len(q.names) > 0 {
		if slices.Contains(elsewhere, q.names[0]) {
			q.fail("query parameter %q is not supported here", q.names[0])
		}
		q.fail("query parameter %.64q is not known here", q.names[0])
	}
	return q.err
}
