package graphfile

import (
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// entity makes a node or edge as Graphy knows it of what a file has. original is its id in the file, "" for none.
//
// A title or position that is null in the file is absent and stays so: the writers use this where a node has no
// title but a name that would become one.
func (a *assembly) entity(raw Object, id, original, where string, node bool) (Object, error) {
	cleaned, err := cleaner{&a.notes, where}.object(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	e := editor{Object: cleaned, where: where, notes: &a.notes}
	_, titled := cleaned["title"]
	_, placed := cleaned["position"]
	for name, value := range cleaned {
		if value.Kind() == 'n' {
			delete(cleaned, name)
		}
	}
	delete(cleaned, "id")
	e.wrapData()
	if node {
		e.nodeProperties(titled, placed)
	}
	e.stamps(a.own)
	if original != "" && original != id {
		e.setData("originalId", quote(original))
	}
	cleaned["id"] = quote(id)
	if size := len(encode(cleaned)); size > maxEntityBytes {
		return nil, fmt.Errorf("%s: %d bytes of JSON are more than the limit of %d", where, size, maxEntityBytes)
	}
	return cleaned, nil
}

// editor moves properties of one entity to where they belong.
type editor struct {
	Object
	where string
	notes *notes
}

// wrapData makes data an object, which other properties may be moved into.
func (e editor) wrapData() {
	if data, ok := e.Object["data"]; ok && data.Kind() != '{' {
		e.Object["data"] = encode(Object{"value": data})
		e.notes.add("data that is not an object was kept as data.value", e.where)
	}
}

func (e editor) setData(name string, value jsontext.Value) {
	data, ok := parseObject(e.Object["data"])
	if !ok {
		data = Object{}
	}
	data[data.freeName(name)] = value
	e.Object["data"], _ = canonical(encode(data))
}

// setAside moves a property into data.
func (e editor) setAside(name, why string) {
	e.setData(name, e.Object[name])
	delete(e.Object, name)
	e.notes.add(fmt.Sprintf("%s was moved to data.%s, because %s", name, name, why), e.where)
}

// nodeProperties puts a node's title, type and position right. titled and placed tell whether the file names a title
// and a position, be it null.
func (e editor) nodeProperties(titled, placed bool) {
	switch title, isText := e.Text("title"); {
	case e.Object["title"] == nil && !titled:
		e.titleFromLabel()
	case e.Object["title"] == nil:
	case !isText:
		e.setAside("title", "it is not a string")
	case len(title) > maxTitleBytes:
		e.setAside("title", "it is longer than "+strconv.Itoa(maxTitleBytes)+" bytes")
	}
	if kind, ok := e.Object["type"]; ok && kind.Kind() != '"' {
		e.setAside("type", "it is not a string")
	}
	switch position, isObject := parseObject(e.Object["position"]); {
	case e.Object["position"] != nil && (!isObject || len(position) != 2 || !point(position)):
		e.setAside("position", "it is not {x,y}")
		if point(position) {
			e.Object["position"] = positionOf(position)
		}
	case !placed && point(e.Object):
		e.Object["position"] = positionOf(e.Object)
		delete(e.Object, "x")
		delete(e.Object, "y")
	}
}

// titleFromLabel gives a node without a title the one that other programs show; their property stays.
func (e editor) titleFromLabel() {
	if title, ok := labelOf(e.Object); ok {
		e.Object["title"] = quote(title)
	}
}

// labelOf returns the name or label that a node without a title is shown by.
func labelOf(node Object) (string, bool) {
	for _, name := range []string{"name", "label"} {
		if text, ok := node.Text(name); ok && text != "" && len(text) <= maxTitleBytes {
			return text, true
		}
	}
	return "", false
}

// stamps takes createdAt and updatedAt away, which the server sets.
func (e editor) stamps(own bool) {
	for _, name := range []string{"createdAt", "updatedAt"} {
		if _, ok := e.Object[name]; !ok {
			continue
		}
		if own {
			delete(e.Object, name)
			e.notes.add("createdAt and updatedAt are set anew by the server", "")
		} else {
			e.setAside(name, "the server sets it")
		}
	}
}

// point tells whether o has finite numbers x and y.
func point(o Object) bool {
	_, x := number(o["x"])
	_, y := number(o["y"])
	return x && y
}

func positionOf(o Object) jsontext.Value {
	return encode(Object{"x": o["x"], "y": o["y"]})
}

func number(value jsontext.Value) (float64, bool) {
	if value.Kind() != '0' {
		return 0, false
	}
	parsed, err := strconv.ParseFloat(string(value), 64)
	return parsed, err == nil && !math.IsInf(parsed, 0)
}

// guarded returns a copy of a node in which null stands where reading it back would otherwise find a title or a
// position that the node does not have.
func guarded(node Object) Object {
	copied := node.clone()
	if _, ok := node["title"]; !ok {
		if _, named := labelOf(node); named {
			copied["title"] = jsontext.Value("null")
		}
	}
	if _, ok := node["position"]; !ok && point(node) {
		copied["position"] = jsontext.Value("null")
	}
	return copied
}
