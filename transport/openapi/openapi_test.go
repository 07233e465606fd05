package openapi

import (
	"bytes"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestDocumentsAreValid(t *testing.T) {
	for name, description := range map[string]Description{"public": Public, "operators": Operators} {
		doc, err := openapi3.NewLoader().LoadFromData(description.Document)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := doc.Validate(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		ids := map[string]bool{}
		for path, item := range doc.Paths.Map() {
			for method, operation := range item.Operations() {
				if ids[operation.OperationID] {
					t.Errorf("%s: %s %s: operation id %q is there twice", name, method, path, operation.OperationID)
				}
				ids[operation.OperationID] = true
				if operation.Responses.Default() == nil {
					t.Errorf("%s: %s %s: no answer for refusals", name, method, path)
				}
			}
		}
	}
}

// TestPageShowsEverything: each path and each schema is on the page, and the page loads nothing from anywhere.
func TestPageShowsEverything(t *testing.T) {
	for name, description := range map[string]Description{"public": Public, "operators": Operators} {
		doc, err := openapi3.NewLoader().LoadFromData(description.Document)
		if err != nil {
			t.Fatal(err)
		}
		for path := range doc.Paths.Map() {
			if !bytes.Contains(description.Page, []byte("</b>"+path+"<")) {
				t.Errorf("%s: the page lacks %s", name, path)
			}
		}
		for schema := range doc.Components.Schemas {
			if !bytes.Contains(description.Page, []byte(`<h3 id="`+schema+`">`)) {
				t.Errorf("%s: the page lacks the schema %s", name, schema)
			}
		}
		for _, foreign := range []string{"<script", "src=", "http://", "https://", "url("} {
			if strings.Contains(string(description.Page), foreign) {
				t.Errorf("%s: the page has %q", name, foreign)
			}
		}
	}
}
