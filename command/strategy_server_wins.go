package command

// serverWins keeps the server's value.
func serverWins(c *contest) settlement { return settlement{toServer, c.server} }
