package command

// leaveOpen keeps the server's value until a person decides.
func leaveOpen(c *contest) settlement { return settlement{toManual, c.server} }
