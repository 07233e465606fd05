// Package openapi is the description of the HTTP interface: an OpenAPI 3.0 document for clients, one for operators, and
// the same as a page to read. The documents are written by hand; a test of package transport holds them against the
// routes and the answers that are served.
package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

//go:embed public.json
var public []byte

//go:embed operators.json
var operators []byte

//go:embed page.html
var page string

// Description is one document in the two forms it is served in. Both are shared, and never written to.
type Description struct {
	Document []byte // JSON
	Page     []byte // HTML, complete in itself: it loads nothing
	// Policy is the Content-Security-Policy under which the page shows as it is meant to: its own style and nothing else.
	Policy string
}

// Public describes what clients call, Operators what is on the operators' listener.
var (
	Public    = describe(public)
	Operators = describe(operators)
)

// describe compacts a document and renders its page. The documents are part of the program: one that does not parse is
// its own mistake.
func describe(source []byte) Description {
	document := jsontext.Value(bytes.Clone(source))
	if err := document.Compact(); err != nil {
		panic(fmt.Sprintf("openapi: %v", err))
	}
	content, err := read(document)
	if err != nil {
		panic(fmt.Sprintf("openapi: %v", err))
	}
	var html bytes.Buffer
	if err := template.Must(template.New("page").Parse(page)).Execute(&html, content); err != nil {
		panic(fmt.Sprintf("openapi: %v", err))
	}
	return Description{Document: document, Page: html.Bytes(), Policy: policyOf(html.Bytes())}
}

// policyOf allows the style sheet that stands in the page.
func policyOf(html []byte) string {
	_, rest, _ := bytes.Cut(html, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	sum := sha256.Sum256(style)
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'"
}

// document is what the page shows of an OpenAPI document.
type document struct {
	Info struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"info"`
	Groups  []group  `json:"-"`
	Schemas []schema `json:"-"`
}

// group holds the operations of one tag, in the order of the document.
type group struct {
	Name       string
	Operations []operation
}

type operation struct {
	Method, Path string
	Summary      string
	Description  string
	Parameters   []parameter
	Body         string // a schema, as it is written
	Answers      []answer
}

type parameter struct {
	Name        string         `json:"name"`
	In          string         `json:"in"`
	Description string         `json:"description"`
	Schema      jsontext.Value `json:"schema"`
}

type answer struct{ Status, Description, Schema string }

type schema struct{ Name, Text string }

type body struct {
	Content members[struct {
		Schema jsontext.Value `json:"schema"`
	}] `json:"content"`
}

// text returns the first schema of a body as it is written.
func (b *body) text() string {
	for _, entry := range b.Content {
		return string(entry.Value.Schema)
	}
	return ""
}

func read(text []byte) (*document, error) {
	var whole struct {
		document
		Paths members[members[struct {
			Tags        []string    `json:"tags"`
			Summary     string      `json:"summary"`
			Description string      `json:"description"`
			Parameters  []parameter `json:"parameters"`
			RequestBody body        `json:"requestBody"`
			Responses   members[struct {
				Ref         string `json:"$ref"`
				Description string `json:"description"`
				body
			}] `json:"responses"`
		}]] `json:"paths"`
		Components struct {
			Schemas members[jsontext.Value] `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	doc := &whole.document
	for _, path := range whole.Paths {
		for _, entry := range path.Value {
			o := &entry.Value
			shown := operation{Method: entry.Name, Path: path.Name, Summary: o.Summary, Description: o.Description,
				Parameters: o.Parameters, Body: o.RequestBody.text()}
			for _, response := range o.Responses {
				if response.Value.Ref == "" {
					shown.Answers = append(shown.Answers, answer{response.Name, response.Value.Description, response.Value.text()})
				}
			}
			doc.add(o.Tags[0], shown)
		}
	}
	for _, entry := range whole.Components.Schemas {
		doc.Schemas = append(doc.Schemas, schema{entry.Name, string(entry.Value)})
	}
	return doc, nil
}

func (d *document) add(tag string, o operation) {
	for i := range d.Groups {
		if d.Groups[i].Name == tag {
			d.Groups[i].Operations = append(d.Groups[i].Operations, o)
			return
		}
	}
	d.Groups = append(d.Groups, group{Name: tag, Operations: []operation{o}})
}

// members are those of a JSON object, in their order.
type members[V any] []struct {
	Name  string
	Value V
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (m *members[V]) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return err
		}
		entry := struct {
			Name  string
			Value V
		}{Name: name.String()}
		if err := json.UnmarshalDecode(decoder, &entry.Value); err != nil {
			return err
		}
		*m = append(*m, entry)
	}
	_, err := decoder.ReadToken()
	return err
}
