package command

// mergeBoth writes what both made of the base. What cannot be merged goes to the last write; edits of the same part, and what
// may not stand there, are left to people.
func mergeBoth(c *contest) settlement {
	if c.whole {
		return lastWriteWins(c)
	}
	value, outcome := c.merger.merge(c.base, c.server, c.client)
	switch {
	case outcome == unmergeable:
		return lastWriteWins(c)
	case outcome == overlapping, c.fits != nil && !c.fits(value):
		return leaveOpen(c)
	}
	return settlement{toMerged, value}
}
