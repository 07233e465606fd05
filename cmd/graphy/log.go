package main

import "github.com/spf13/cobra"

func (c *cli) logCommand() *cobra.Command {
	return group("log", "Show, follow, compare, export and import logs",
		`The logs of graphs: every event since the first, or since what was trimmed. log export and log import move whole
histories from one Graphy to another as archive files; export and import without "log" are about drawings: the nodes and
edges as they are now, in the formats of other programs.`,
		c.logShowCommand(), c.logTailCommand(), c.logDiffCommand(), c.logExportCommand(), c.logImportCommand())
}
