package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

// content is what a key holds: fields and values of a hash in turn, or the members of a set.
type content struct {
	items  []rueidis.RedisMessage
	damage string // why it is neither
}

func (m *Models) readTogether(ctx context.Context, graph string, hashes, sets []string) ([]content, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	answer, err := loadScript.Exec(ctx, m.client, slices.Concat(hashes, sets), []string{strconv.Itoa(len(hashes))}).ToArray()
	if err != nil {
		return nil, failed(err, "load", graph)
	}
	read := make([]content, len(answer))
	for i := range answer {
		if text, err := answer[i].ToString(); err == nil {
			if !strings.HasPrefix(text, "WRONGTYPE ") {
				return nil, fmt.Errorf("load of %q: %w: %s", graph, eventstore.ErrUnavailable, text)
			}
			read[i].damage = text
			continue
		}
		if read[i].items, err = answer[i].ToArray(); err != nil {
			return nil, failed(err, "load", graph)
		}
	}
	return read, nil
}

// whole fails with ErrDamaged if one of the keys that were read is damaged.
func whole(read []content, graph string) error {
	for i := range read {
		if read[i].damage != "" {
			return damaged(graph, "%s", read[i].damage)
		}
	}
	return nil
}

// all yields the fields of a hash and their values, which may be kept and must not be written to.
func (c content) all(yield func(string, jsontext.Value) bool) {
	for i := 0; i+1 < len(c.items); i += 2 {
		field, _ := c.items[i].ToString()
		value, _ := c.items[i+1].AsBytes()
		if !yield(field, value) {
			return
		}
	}
}

// members returns the members of a set, sorted.
func (c content) members() []string {
	members := make([]string, len(c.items))
	for i := range c.items {
		members[i], _ = c.items[i].ToString()
	}
	slices.Sort(members)
	return members
}

func (c content) checkpoint(graph string) (projection.Checkpoint, error) {
	text := make([]string, len(stateFields))
	for field, value := range c.all {
		if i := slices.Index(stateFields, field); i >= 0 {
			text[i] = string(value)
		}
	}
	return decodeCheckpoint(graph, text)
}

// object returns the canonical object whose members a hash holds, nil if there are none.
func (c content) object() jsontext.Value {
	if len(c.items) == 0 {
		return nil
	}
	type member struct{ name, value []byte }
	var members []member
	for name, value := range c.all {
		members = append(members, member{[]byte(name), value})
	}
	slices.SortFunc(members, func(a, b member) int { return projection.CompareNames(a.name, b.name) })
	object := []byte{'{'}
	for i, member := range members {
		if i > 0 {
			object = append(object, ',')
		}
		object = append(append(append(object, '"'), member.name...), '"', ':')
		object = append(object, member.value...)
	}
	return append(object, '}')
}

// stats decodes a stats hash: events by command type, and completed nodes.
func (c content) stats(graph string) (byType map[string]int64, completed int, err error) {
	if c.damage != "" {
		return nil, 0, damaged(graph, "%s", c.damage)
	}
	byType = map[string]int64{}
	for field, value := range c.all {
		number, failure := strconv.ParseInt(string(value), 10, 64)
		if failure != nil {
			return nil, 0, damaged(graph, "%s is %.64q", field, value)
		}
		switch name, isType := strings.CutPrefix(field, typeField); {
		case isType:
			byType[name] = number
		case field == completedField:
			completed = int(number)
		}
	}
	return byType, completed, nil
}
