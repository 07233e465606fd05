package e2e

import (
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between a server and its Redis, or its clients, and can cut them off.
type proxy struct {
	url      string // of a Redis
	addr     string
	target   string
	listener net.Listener
	group    sync.WaitGroup

	mu    sync.Mutex
	open  sync.Cond // mode has changed
	mode  mode
	rate  int // bytes a second of each connection in each direction; 0: as fast as they come
	conns map[net.Conn]bool
}

// mode is what a proxy does with bytes.
type mode int

const (
	passing   mode = iota
	refusing       // connections are closed
	silent         // nothing passes, connections stay
	deafening      // requests pass, answers do not
)

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	p := &proxy{url: "redis://" + addr, addr: addr, target: target, listener: listener, conns: map[net.Conn]bool{}}
	p.open.L = &p.mu
	p.group.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.set(refusing)
		p.group.Wait()
	})
	return p
}

// set changes the mode. Refusing ends the connections there are; what was silent goes on where it stopped.
func (p *proxy) set(mode mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	if mode == refusing {
		p.drop()
	}
	p.open.Broadcast()
}

// throttle sets the rate.
func (p *proxy) throttle(rate int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = rate
}

// reset ends the connections there are, once.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
}

func (p *proxy) drop() {
	for conn := range p.conns {
		conn.Close()
	}
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refused := p.mode == refusing
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.target)
		if err != nil || refused {
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		p.group.Go(func() { p.copy(server, client, silent, silent) })
		p.group.Go(func() { p.copy(client, server, silent, deafening) })
	}
}

// copy passes bytes on, and holds them back in two modes.
func (p *proxy) copy(to, from net.Conn, held ...mode) {
	defer func() {
		to.Close()
		from.Close()
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		for (p.mode == held[0] || p.mode == held[1]) && err == nil {
			p.open.Wait()
		}
		rate := p.rate
		p.mu.Unlock()
		if rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
