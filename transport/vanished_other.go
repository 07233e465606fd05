//go:build !linux

package transport

import (
	"context"
	"net"
)

// noticeVanished leaves it to the kernel when to give up a peer that has vanished.
func noticeVanished(ctx context.Context, _ net.Conn) context.Context { return ctx }
