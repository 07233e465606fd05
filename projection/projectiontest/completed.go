package projectiontest

import (
	"github.com/go-json-experiment/json"

	"graphy/projection"
)

// Completed counts the nodes that are done, by their decoded values.
func Completed(graph *projection.Graph) (total int) {
	for _, value := range graph.All(projection.Node) {
		var node map[string]any
		if err := json.Unmarshal(value, &node); err != nil {
			panic(err)
		}
		data, _ := node["data"].(map[string]any)
		if done(node) || done(data) {
			total++
		}
	}
	return total
}

func done(properties map[string]any) bool {
	return properties["completed"] == true || properties["status"] == "done" || properties["status"] == "completed"
}
