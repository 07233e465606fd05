package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
)

// list is a list of the API that comes in pages.
type list struct {
	path   string
	query  url.Values
	member string // of the answer: the items
	next   string // of the answer, and of the query: where the next page begins; "": there is one page
	limit  int    // items at most; 0: all
}

// pageItems is how many items are asked for at once.
const pageItems = 500

// each calls take for each item of the list, as it came and decoded.
func eachItem[T any](ctx context.Context, a *act, l list, take func(T)) error {
	left := l.limit
	for {
		page, next, err := l.page(ctx, a, left)
		if err != nil {
			return err
		}
		for _, raw := range page {
			if a.out.json {
				err = a.out.object(raw)
			} else {
				var item T
				if err = json.Unmarshal(raw, &item); err != nil {
					err = a.misunderstood(err)
				} else {
					take(item)
				}
			}
			if err != nil {
				return err
			}
		}
		if left -= len(page); next == "" || l.limit > 0 && left <= 0 {
			return nil
		}
		if l.query.Get(l.next) == next {
			return a.misunderstood(errors.New("a page leads to itself"))
		}
		l.query.Set(l.next, next)
	}
}

// page returns the items of one page, and where the next one begins.
func (l *list) page(ctx context.Context, a *act, left int) (items []jsontext.Value, next string, err error) {
	if l.query == nil {
		l.query = url.Values{}
	}
	if l.next != "" {
		want := pageItems
		if l.limit > 0 {
			want = min(want, left)
		}
		l.query.Set("limit", strconv.Itoa(want))
	}
	var answer map[string]jsontext.Value
	if err := a.do(ctx, call{method: http.MethodGet, path: l.path, query: l.query}, &answer); err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(answer[l.member], &items); err != nil {
		return nil, "", a.misunderstood(fmt.Errorf("%s: %w", l.member, err))
	}
	if l.limit > 0 && len(items) > left {
		items = items[:left]
	}
	if value := answer[l.next]; l.next != "" && value != nil {
		err = json.Unmarshal(value, &next)
	}
	return items, next, err
}

// wants makes the Args of a command that takes exactly what is named, as "GRAPH" and "VERSION".
func wants(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return fmt.Errorf("%s takes %s, not %s; see `%s --help`", cmd.CommandPath(), strings.Join(names, " and "),
			plural(len(args), "argument", "arguments"), cmd.CommandPath())
	}
}

// wantsGraphs is the Args of a command that takes one graph or more.
func wantsGraphs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s takes the graphs it is for; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
	}
	return checkGraphs(args)
}

// setUnlessEmpty adds a parameter that was given.
func setUnlessEmpty(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// escaped returns an id as part of a path.
func escaped(id string) string { return url.PathEscape(id) }
