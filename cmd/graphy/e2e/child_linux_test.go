package e2e

import "syscall"

// childAttributes end a child with the test binary, however that ends.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
