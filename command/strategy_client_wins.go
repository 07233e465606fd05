package command

// clientWins writes the incoming value.
func clientWins(c *contest) settlement { return settlement{toClient, c.client} }
