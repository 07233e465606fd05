package command

// lastWriteWins takes the value that was written later, the incoming one on a tie.
func lastWriteWins(c *contest) settlement {
	if c.writtenAt < c.theirs {
		return serverWins(c)
	}
	return clientWins(c)
}
