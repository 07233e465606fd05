package transport

import (
	"net"
	"syscall"
	"testing"
)

func TestVanishedPeersAreNoticed(t *testing.T) {
	s := newStage(t)
	server := s.server.HTTPServer("", s.server.Handler())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go net.Dial("tcp", listener.Addr().String()) //nolint:errcheck // Accept tells
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	server.ConnContext(t.Context(), conn)
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	if err := raw.Control(func(fd uintptr) {
		got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
	}); err != nil {
		t.Fatal(err)
	}
	if got != 30_000 || err != nil {
		t.Errorf("TCP_USER_TIMEOUT is %d, %v, want 30000", got, err)
	}
}
