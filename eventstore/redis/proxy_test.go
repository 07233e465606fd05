package redis_test

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// proxy passes connections on to a server, and cuts one in the middle of an append when told to.
type proxy struct {
	addr   string
	target string
	cut    atomic.Pointer[string] // cutRequest, cutAnswer, or none
	cuts   atomic.Int32
}

const (
	cutRequest = "request" // half of the append is passed on
	cutAnswer  = "answer"  // the append is passed on, its answer is not
)

func startProxy(t *testing.T, target string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p := &proxy{addr: listener.Addr().String(), target: target}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) cutNext(where string) { p.cut.Store(&where) }

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	go func() {
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || mute.Load() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		chunk := buffer[:n]
		if bytes.Contains(chunk, []byte(":operations")) {
			switch where := p.cut.Swap(nil); {
			case where == nil:
			case *where == cutRequest:
				p.cuts.Add(1)
				server.Write(chunk[:n/2])
				return
			default:
				p.cuts.Add(1)
				mute.Store(true)
				server.Write(chunk)
				io.Copy(io.Discard, client) // until the other direction has read the answer and closed
				return
			}
		}
		if _, err := server.Write(chunk); err != nil {
			return
		}
	}
}
