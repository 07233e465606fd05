//go:build !unix

package embedded

import (
	"net"

	"github.com/alicebob/miniredis/v2"
)

// dial connects to server by a pipe in memory.
func dial(server *miniredis.Miniredis) (net.Conn, error) { return server.Dial() }
