package graphfile

import (
	"encoding/xml"
	"strings"
)

// readKey declares a property, with its default.
func (g *graphmlReader) readKey(start xml.StartElement) error {
	key := newGraphMLKey(start)
	for {
		token, err := g.xml.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			text, err := g.text(nil)
			if err != nil {
				return err
			}
			if token.Name.Local == "default" {
				key.fallback = &text
			}
		case xml.EndElement:
			if _, twice := g.keys[key.id]; !twice {
				g.order = append(g.order, key.id)
			}
			g.keys[key.id] = key
			return nil
		}
	}
}

// readData gives the open element a property. Of yEd's drawings, which are XML of their own, the label and the
// place are kept.
func (g *graphmlReader) readData(start xml.StartElement) error {
	id := attribute(start, "key")
	key, ok := g.keys[id]
	if !ok {
		key = graphmlKey{id: id, name: id, kind: "string"}
		g.notes.add("data of keys that are not declared were kept as strings", id)
	}
	var drawing drawing
	text, err := g.text(&drawing)
	if err != nil {
		return err
	}
	if drawing.found {
		g.notes.add("of drawings made by other programs only label and place were kept", key.name)
		g.draw(drawing)
		return nil
	}
	g.set(key.name, key.parse(text, &g.notes))
	return nil
}

// drawing is what is kept of the XML inside of a datum.
type drawing struct {
	found bool
	label string
	x, y  string
}

// draw keeps a drawing where the element has no label and place of its own.
func (g *graphmlReader) draw(d drawing) {
	object := g.top().object
	if label := strings.TrimSpace(d.label); label != "" && object["label"] == nil {
		object["label"] = quote(label)
	}
	x, okX := numberOf(d.x)
	y, okY := numberOf(d.y)
	if okX && okY && object["x"] == nil && object["y"] == nil {
		object["x"], object["y"] = x, y
	}
}

// text reads to the end of the element that was just opened and returns its text, without that of elements inside,
// which go into d where it is given.
func (g *graphmlReader) text(d *drawing) (string, error) {
	var text strings.Builder
	labels := 0 // how deep the label that is open is
	for depth := 0; depth >= 0; {
		token, err := g.xml.Token()
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.CharData:
			if depth == 0 {
				text.Write(token)
			} else if d != nil && labels == depth {
				d.label += string(token)
			}
		case xml.StartElement:
			depth++
			if d != nil {
				d.found = true
				switch token.Name.Local {
				case "NodeLabel", "EdgeLabel":
					if labels == 0 && d.label == "" {
						labels = depth
					}
				case "Geometry":
					d.x, d.y = attribute(token, "x"), attribute(token, "y")
				}
			}
		case xml.EndElement:
			if labels == depth {
				labels = 0
			}
			depth--
		}
	}
	return text.String(), nil
}

// applyDefaults gives what has no value for a key that key's default.
func (g *graphmlReader) applyDefaults() {
	for _, id := range g.order {
		key := g.keys[id]
		if key.fallback == nil {
			continue
		}
		if key.domain == "node" || key.domain == "all" {
			g.applyDefault(key, g.nodes...)
		}
		if key.domain == "edge" || key.domain == "all" {
			g.applyDefault(key, g.edges...)
		}
		if key.domain == "graph" || key.domain == "all" {
			g.applyDefault(key, g.attributes)
		}
	}
}

func (g *graphmlReader) applyDefault(key graphmlKey, objects ...Object) {
	for _, object := range objects {
		if _, ok := object[key.name]; !ok {
			object[key.name] = key.parse(*key.fallback, &g.notes)
		}
	}
}
