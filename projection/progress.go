package projection

import "github.com/go-json-experiment/json/jsontext"

// completed tells whether a node counts as done in a graph's progress: completed or data.completed is true, or
// status or data.status is "done" or "completed".
func completed(node jsontext.Value) bool {
	for name, value := range Members(node) {
		if saysDone(name, value) {
			return true
		}
		if string(name) == "data" {
			for name, value := range Members(value) {
				if saysDone(name, value) {
					return true
				}
			}
		}
	}
	return false
}

// concernsProgress tells whether a change may make completed say something else of its entity.
func concernsProgress(change *Change) bool {
	if change.Kind != Node || change.Op != Patch {
		return change.Kind == Node
	}
	for name := range Members(change.Set) {
		switch string(name) {
		case "completed", "status", "data":
			return true
		}
	}
	return false
}

func saysDone(name []byte, value jsontext.Value) bool {
	switch string(name) {
	case "completed":
		return string(value) == `true`
	case "status":
		return string(value) == `"done"` || string(value) == `"completed"`
	}
	return false
}
