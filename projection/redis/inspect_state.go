package redis

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// What commits write into a state hash, to the byte. position.lua knows the form of a version too.
var (
	versionForm  = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)
	numberForm   = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})$`)
	checksumForm = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// letterField is the field of a state hash that is no part of the checkpoint.
const letterField = "letter"

// position returns where a state hash says that the read models are: at version 0 if it does not say so in the form in
// which commits do.
func (c content) position() eventstore.Position {
	var number, hash string
	for field, value := range c.all {
		switch field {
		case "version":
			number = string(value)
		case "hash":
			hash = string(value)
		}
	}
	if !versionForm.MatchString(number) {
		return eventstore.Position{}
	}
	at, _ := strconv.ParseUint(number, 10, 64)
	return eventstore.Position{Version: eventstore.Version(at), Hash: eventstore.Hash(hash)}
}

// state takes a state hash in, field by field; whatever no commit wrote is damage.
func (i *inspection) state(c content) {
	fields := map[string]string{}
	for field, value := range c.all {
		fields[field] = string(value)
		if field != letterField && !slices.Contains(stateFields, field) {
			i.damaged("state has a field %.64q", field)
		}
	}
	number := func(field string) int64 {
		text, is := fields[field]
		if is && !numberForm.MatchString(text) {
			i.damaged("state: %s is %.64q", field, text)
		}
		number, _ := strconv.ParseInt(text, 10, 64)
		return number
	}
	i.Checkpoint = projection.Checkpoint{Position: i.from, LastModified: number("lastModified"), LastOperationID: fields["lastOperationId"],
		Nodes: int(number("nodes")), Edges: int(number("edges")), Stalled: fields["stalled"]}
	if policy := fields["policy"]; policy != "" {
		i.Checkpoint.Policy = jsontext.Value(policy)
	}
	if sum, is := fields["checksum"]; is && checksumForm.MatchString(sum) {
		number, _ := strconv.ParseUint(sum, 16, 64)
		i.Checkpoint.Checksum = projection.Checksum(number)
	} else if is {
		i.damaged("state: checksum is %.64q", sum)
	}
	number(letterField)
	i.complete(fields)
}

// complete finds out whether all the fields are there that a commit writes together, or none of them.
func (i *inspection) complete(fields map[string]string) {
	at, is := fields["version"]
	if is && i.from.Version == 0 {
		i.damaged("state: version is %.64q", at)
	}
	for _, field := range stateFields[1:7] {
		switch _, has := fields[field]; {
		case is && !has:
			i.damaged("state has no %s", field)
		case has && !is:
			i.damaged("state has %s without a version", field)
		}
	}
}

// stats takes a stats hash in.
func (i *inspection) stats(c content) {
	i.ByType = map[string]int64{}
	for field, value := range c.all {
		number, err := strconv.ParseInt(string(value), 10, 64)
		name, isType := strings.CutPrefix(field, typeField)
		switch {
		case err != nil || strconv.FormatInt(number, 10) != string(value):
			i.damaged("stats: %.64s is %.64q", field, value)
		case isType:
			i.ByType[name] = number
		case field == completedField:
			i.Completed = int(number)
		default:
			i.damaged("stats has a field %.64q", field)
		}
	}
}

func (i *inspection) damaged(format string, args ...any) {
	i.Damage = append(i.Damage, fmt.Sprintf(format, args...))
}
