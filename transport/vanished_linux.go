package transport

import (
	"context"
	"net"
	"syscall"
	"time"
)

// unheard is how long a peer may leave what it was sent unacknowledged. With a comment each 15 s that bounds how long an
// event stream to a peer that has vanished stays open.
const unheard = 30 * time.Second

const tcpUserTimeout = 0x12 // TCP_USER_TIMEOUT, ms (RFC 5482)

// noticeVanished ends a connection whose peer has vanished sooner than the quarter of an hour that the kernel tries.
// It is a server's ConnContext.
func noticeVanished(ctx context.Context, conn net.Conn) context.Context {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return ctx
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // if it fails, the kernel's patience counts
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unheard.Milliseconds()))
		})
	}
	return ctx
}
