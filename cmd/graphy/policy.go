package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"graphy/command"
)

// conflictPolicy reads how conflicts are settled where neither the command nor its graph says: a JSON object, or the
// file behind an @. Nil leaves everything to the defaults.
func (c *config) conflictPolicy() (*command.Policy, error) {
	if c.ConflictPolicy == "" {
		return nil, nil
	}
	text, source := []byte(c.ConflictPolicy), "GRAPHY_CONFLICT_POLICY"
	if name, isFile := strings.CutPrefix(c.ConflictPolicy, "@"); isFile {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		text, source = bytes.TrimPrefix(content, []byte("\ufeff")), source+" "+c.ConflictPolicy
	}
	policy, err := command.ParsePolicyConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %s (it is a JSON object of path pattern → strategy, as {\"/data/status\":\"MANUAL\"}, or @file)", source, inWords(err))
	}
	return policy, nil
}

// inWords says what a refusal says to a person, and where.
func inWords(err error) string {
	var refusal *command.Error
	if !errors.As(err, &refusal) {
		return err.Error()
	}
	words := refusal.Detail
	for _, field := range refusal.Fields {
		if field.Pointer != "" {
			words += fmt.Sprintf(", at %q", unescapePointer(field.Pointer))
		}
	}
	return words
}

// unescapePointer returns the name of a member of an object by its JSON Pointer.
func unescapePointer(pointer string) string {
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(strings.TrimPrefix(pointer, "/"))
}
