package graphfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
)

// Format is a kind of file.
type Format string

const (
	// NodeLink is {"nodes":[…],"links":[…]}, as d3, vega and networkx write it.
	NodeLink Format = "node-link"
	// Cytoscape is the JSON of Cytoscape.js, and what the Cytoscape desktop exports for it.
	Cytoscape Format = "cytoscape"
	// GraphML is the XML format of that name.
	GraphML Format = "graphml"
	// Graphy is {"nodes":[…],"edges":[…],"viewport":{…}}, as the API's state has it.
	Graphy Format = "graphy"
)

// Formats are all formats there are; each can be read and written.
var Formats = []Format{NodeLink, Cytoscape, GraphML, Graphy}

// ErrFormat matches errors of content that is in none of the formats, or not in the one asked for.
var ErrFormat = errors.New("graphfile: not a graph file")

// MaxBytes is the size of the largest file that Read takes.
const MaxBytes = 256 << 20

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	for _, format := range Formats {
		if string(format) == strings.ToLower(name) {
			return format, nil
		}
	}
	return "", fmt.Errorf("%w: no format %q, there are %s", ErrFormat, name, formatNames())
}

func formatNames() string {
	names := make([]string, len(Formats))
	for i, format := range Formats {
		names[i] = string(format)
	}
	return strings.Join(names, ", ")
}

// Options configure Read. The zero value is ready to use.
type Options struct {
	Format        Format // default: detected from the content
	CreateMissing bool   // make the nodes that edges name and the file lacks; default: an error
}

// Read reads the one graph in r.
func Read(r io.Reader, opts Options) (*Document, error) {
	content, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxBytes {
		return nil, fmt.Errorf("the file is larger than %d MiB", MaxBytes>>20)
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	format := opts.Format
	if format == "" {
		if format, err = Detect(content); err != nil {
			return nil, err
		}
	}
	draft, err := readers[format](content)
	if err != nil {
		return nil, fmt.Errorf("read as %s: %w", format, err)
	}
	doc, err := draft.assemble(opts.CreateMissing)
	if err != nil {
		return nil, fmt.Errorf("read as %s: %w", format, err)
	}
	return doc, nil
}

var readers = map[Format]func([]byte) (*draft, error){
	NodeLink: readNodeLink, Graphy: readGraphy, Cytoscape: readCytoscape, GraphML: readGraphML,
	"": func([]byte) (*draft, error) { return nil, ErrFormat },
}

// Detect tells the format from the content alone.
func Detect(content []byte) (Format, error) {
	content = bytes.TrimSpace(content)
	if bytes.HasPrefix(content, []byte("<")) {
		return GraphML, nil
	}
	if bytes.HasPrefix(content, []byte("[")) {
		return Cytoscape, nil
	}
	var top Object
	if err := json.Unmarshal(content, &top); err != nil {
		return "", fmt.Errorf("%w: neither XML nor JSON: %w", ErrFormat, err)
	}
	switch {
	case top["nodes"] == nil && top["elements"] != nil:
		return Cytoscape, nil
	case top["nodes"] == nil:
		return "", fmt.Errorf(`%w: the JSON has neither "nodes" nor "elements"`, ErrFormat)
	case looksLikeElements(top["nodes"]):
		return Cytoscape, nil
	case top["edges"] != nil && (top["viewport"] != nil || top["graphId"] != nil):
		return Graphy, nil
	}
	return NodeLink, nil
}

// Write writes doc, followed by a line feed.
func Write(w io.Writer, format Format, doc *Document) error {
	var content []byte
	var err error
	switch format {
	case NodeLink:
		content = writeNodeLink(doc)
	case Cytoscape:
		content = writeCytoscape(doc)
	case Graphy:
		content = writeGraphy(doc)
	case GraphML:
		content, err = writeGraphML(doc)
	default:
		_, err = ParseFormat(string(format))
	}
	if err != nil {
		return err
	}
	_, err = w.Write(append(content, '\n'))
	return err
}
