package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"graphy/command"
	"graphy/transport"
)

// limits are what a command may hold, a graph may grow to, and a process may keep open.
type limits struct {
	MaxBody       int `env:"BODY"`
	MaxEntity     int `env:"ENTITY"`
	MaxTitle      int `env:"TITLE"`
	MaxDepth      int `env:"DEPTH"`
	MaxOperations int `env:"OPERATIONS"`
	MaxNodes      int `env:"NODES"`
	MaxEdges      int `env:"EDGES"`

	Connections      int `env:"CONNECTIONS"`
	GraphConnections int `env:"CONNECTIONS_GRAPH"`
	UserConnections  int `env:"CONNECTIONS_USER"` // 0: the default, which depends on whether users are known
}

// mostBody is how large the limit of a body may be. The answer to a command may be about as long, and a socket on which
// more waits than that counts as too slow.
const mostBody = 16 << 20

func usualLimits() limits {
	return limits{
		MaxBody:       command.MaxBody,
		MaxEntity:     command.MaxEntity,
		MaxTitle:      command.MaxTitle,
		MaxDepth:      command.MaxDepth,
		MaxOperations: command.MaxOperations,
		MaxNodes:      command.MaxNodes,
		MaxEdges:      command.MaxEdges,

		Connections:      20_000,
		GraphConnections: 10_000,
	}
}

func (l *limits) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&l.MaxBody, "max-body", l.MaxBody, "bytes of a request body or WebSocket frame (GRAPHY_MAX_BODY)")
	flags.IntVar(&l.MaxEntity, "max-entity", l.MaxEntity, "bytes of a node or an edge in canonical form (GRAPHY_MAX_ENTITY)")
	flags.IntVar(&l.MaxTitle, "max-title", l.MaxTitle, "bytes of a node's title (GRAPHY_MAX_TITLE)")
	flags.IntVar(&l.MaxDepth, "max-depth", l.MaxDepth, "levels of nesting in a node or an edge (GRAPHY_MAX_DEPTH)")
	flags.IntVar(&l.MaxOperations, "max-operations", l.MaxOperations, "operations in a batch (GRAPHY_MAX_OPERATIONS)")
	flags.IntVar(&l.MaxNodes, "max-nodes", l.MaxNodes, "nodes in a graph (GRAPHY_MAX_NODES)")
	flags.IntVar(&l.MaxEdges, "max-edges", l.MaxEdges, "edges in a graph (GRAPHY_MAX_EDGES)")
	flags.IntVar(&l.Connections, "max-connections", l.Connections, "WebSockets and streams open in this process (GRAPHY_MAX_CONNECTIONS)")
	flags.IntVar(&l.GraphConnections, "max-connections-graph", l.GraphConnections, "of them, on one graph (GRAPHY_MAX_CONNECTIONS_GRAPH)")
	flags.IntVar(&l.UserConnections, "max-connections-user", l.UserConnections,
		"of them, of one user; 0: 1000, or without tokens no limit (GRAPHY_MAX_CONNECTIONS_USER)")
}

// check refuses limits under which nothing could be written, or that something else keeps from being reached.
func (l *limits) check() error {
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"BODY", l.MaxBody}, {"ENTITY", l.MaxEntity}, {"TITLE", l.MaxTitle}, {"DEPTH", l.MaxDepth},
		{"OPERATIONS", l.MaxOperations}, {"NODES", l.MaxNodes}, {"EDGES", l.MaxEdges},
		{"CONNECTIONS", l.Connections}, {"CONNECTIONS_GRAPH", l.GraphConnections}, {"CONNECTIONS_USER", l.UserConnections + 1},
	} {
		if limit.value < 1 {
			return fmt.Errorf("GRAPHY_MAX_%s is %d: give a number from 1 on", limit.name, limit.value)
		}
	}
	// A default that does not fit a smaller limit around it is no mistake: it is just never reached.
	switch {
	case l.MaxBody > mostBody:
		return fmt.Errorf("GRAPHY_MAX_BODY is %d: give at most %d bytes", l.MaxBody, mostBody)
	case l.MaxDepth > command.MostDepth:
		return fmt.Errorf("GRAPHY_MAX_DEPTH is %d: give at most %d levels", l.MaxDepth, command.MostDepth)
	case l.MaxEntity > l.MaxBody && l.MaxEntity != command.MaxEntity:
		return fmt.Errorf("GRAPHY_MAX_ENTITY is %d, above GRAPHY_MAX_BODY, which is %d: an entity comes in a body, so raise that too",
			l.MaxEntity, l.MaxBody)
	case l.MaxTitle > l.MaxEntity && l.MaxTitle != command.MaxTitle:
		return fmt.Errorf("GRAPHY_MAX_TITLE is %d, above GRAPHY_MAX_ENTITY, which is %d: a title is part of a node, so raise that too",
			l.MaxTitle, l.MaxEntity)
	}
	return nil
}

// ofConnections returns those of what stays open.
func (l *limits) ofConnections() transport.ConnectionLimits {
	return transport.ConnectionLimits{Process: l.Connections, Graph: l.GraphConnections, User: l.UserConnections}
}

// ofCommands returns those that package command sees to.
func (l *limits) ofCommands() command.Limits {
	return command.Limits{Entity: l.MaxEntity, Title: l.MaxTitle, Depth: l.MaxDepth, Operations: l.MaxOperations,
		Nodes: l.MaxNodes, Edges: l.MaxEdges}
}
