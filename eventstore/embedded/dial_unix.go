//go:build unix

package embedded

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/alicebob/miniredis/v2"
)

// dial connects to server by a pair of sockets without a name, so nobody else can.
func dial(server *miniredis.Miniredis) (net.Conn, error) {
	start, err := server.Dial() // starts the server if need be; its pipe is slower than sockets
	if err != nil {
		return nil, err
	}
	start.Close()

	syscall.ForkLock.RLock() // so that no child inherits them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	near, errNear := socket(pair[0])
	far, errFar := socket(pair[1])
	if err := errors.Join(errNear, errFar); err != nil {
		for _, conn := range []net.Conn{near, far} {
			if conn != nil {
				conn.Close()
			}
		}
		return nil, err
	}
	server.Server().ServeConn(far)
	return near, nil
}

// socket makes a connection of a descriptor, which it takes over.
func socket(descriptor int) (net.Conn, error) {
	f := os.NewFile(uintptr(descriptor), "socketpair")
	defer f.Close() // the connection has its own
	return net.FileConn(f)
}
