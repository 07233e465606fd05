package transport

import (
	"cmp"
	"sync"

	"graphy/command"
)

// ConnectionLimits bound what stays open in this process: WebSockets, event streams and long polls.
type ConnectionLimits struct {
	Process int // in all; default 20,000
	Graph   int // on one graph; default 10,000
	User    int // of one user; default 1,000, or in development mode, where all may be one user, none; below zero: none
}

func (l ConnectionLimits) orDefault(development bool) ConnectionLimits {
	user := 1000
	if development {
		user = -1
	}
	return ConnectionLimits{Process: cmp.Or(l.Process, 20_000), Graph: cmp.Or(l.Graph, 10_000), User: cmp.Or(l.User, user)}
}

// connections count what is open. They are safe for concurrent use.
type connections struct {
	limits ConnectionLimits

	mu     sync.Mutex
	open   int
	graphs map[string]int
	users  map[string]int
}

func newConnections(limits ConnectionLimits) *connections {
	return &connections{limits: limits, graphs: map[string]int{}, users: map[string]int{}}
}

// enter counts in a connection of user to graph, or says of what there are too many. Who got in leaves.
func (c *connections) enter(graph, user string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch limits := c.limits; {
	case c.open >= limits.Process:
		return refuse(command.Unavailable, "too many connections to this server")
	case c.graphs[graph] >= limits.Graph:
		return refuse(command.Unavailable, "too many connections to this graph")
	case limits.User >= 0 && c.users[user] >= limits.User:
		return refuse(command.Unavailable, "too many connections of this user")
	}
	c.open++
	c.graphs[graph]++
	c.users[user]++
	return nil
}

// leave counts out a connection that was let in.
func (c *connections) leave(graph, user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	countDown(c.graphs, graph)
	countDown(c.users, user)
}

// countDown lowers a count, and forgets it at 0.
func countDown(counts map[string]int, key string) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}
