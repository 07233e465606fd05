package commandtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Client is a tab or process of a user.
type Client struct{ User, ID string }

func (c Client) String() string { return c.User + "/" + c.ID }

// clientOf reads "user/client".
func clientOf(name string) (Client, error) {
	if name == "" {
		return Client{"ann", "a1"}, nil
	}
	user, id, ok := strings.Cut(name, "/")
	if !ok || user == "" || id == "" {
		return Client{}, fmt.Errorf("%q is not user/client", name)
	}
	return Client{user, id}, nil
}

// Request is what a driver carries out.
type Request struct {
	By   Client
	Do   string
	Over string
	// Body is the body as the contract has it, byte for byte as it stands in the case; of a policy the policy itself.
	Body jsontext.Value
	// Path is, of a GET, what follows the graph: "/state?at=2"; of a resolution the conflict's id.
	Path string
	// Through is, of a trim, the last version that the log forgets.
	Through int
}

// request makes the nth request of a step, symbols replaced by what they stand for.
func (s *Step) request(n int, known *symbols) (Request, error) {
	by, err := clientOf(s.By)
	if err != nil {
		return Request{}, err
	}
	r := Request{By: by, Do: s.Do, Over: s.Over}
	switch s.Do {
	case "policy":
		r.Body = s.Body["policy"]
		return r, nil
	case "GET":
		r.Path, err = unquote(s.Body["path"])
		return r, err
	case "trim":
		r.Through, err = strconv.Atoi(string(s.Body["through"]))
		return r, err
	}
	body := map[string]jsontext.Value{}
	for name, value := range s.Body {
		if body[name], err = s.expand(name, value, n, known); err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
	}
	if s.Do == "resolve" {
		if r.Path, err = unquote(body["conflictId"]); err != nil {
			return r, err
		}
		delete(body, "conflictId")
	}
	if _, own := bodies[s.Do]; !own {
		body["type"], _ = jsontext.AppendQuote(nil, s.Do)
	}
	r.Body = object(body)
	return r, nil
}

// expand replaces what a body holds in short form: "$i", "x×100" for a hundred of them, symbols, repetitions.
func (s *Step) expand(name string, value jsontext.Value, n int, known *symbols) (jsontext.Value, error) {
	switch {
	case name == "timestamp" || name == "hash":
		return known.resolve(value)
	case name == "operations" && s.Repeat > 1:
		element := strings.TrimSuffix(strings.TrimPrefix(string(value), "["), "]")
		return jsontext.Value("[" + strings.Repeat(element+",", s.Repeat-1) + element + "]"), nil
	}
	text := string(value)
	if s.Times > 0 {
		text = strings.ReplaceAll(text, "$i", strconv.Itoa(n))
	}
	return jsontext.Value(manyOf.ReplaceAllStringFunc(text, func(short string) string {
		parts := manyOf.FindStringSubmatch(short)
		count, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], count)
	})), nil
}

// manyOf is short for many of one character: "x×3" for "xxx".
var manyOf = regexp.MustCompile(`([^"\\])×([0-9]+)`)

func object(members map[string]jsontext.Value) jsontext.Value {
	out := jsontext.Value{'{'}
	for _, name := range sortedNames(members) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, name)
		out = append(append(out, ':'), members[name]...)
	}
	return append(out, '}')
}

func unquote(value jsontext.Value) (string, error) {
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err
}
