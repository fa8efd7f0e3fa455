package poll_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/mudpulse/mudpulse/gateway/poll"
)

func TestARoundIsAwaitedWhereVeryManyConnectionsSendALittle(t *testing.T) {
	f := func(perSecond float64, connections int, want time.Duration) {
		t.Helper()
		if got := poll.Wait(perSecond, connections, 15*time.Millisecond); got != want {
			t.Errorf("%v a second from %d connections: %v, want %v", perSecond, connections, got, want)
		}
	}
	f(10_000, 10_000, 10*time.Millisecond) // a round of a hundred
	f(5_000, 10_000, 15*time.Millisecond)  // the most
	f(2_000, 10_000, 0)                    // rare
	f(4_000, 1_000, 5*time.Millisecond)    // a fiftieth of a quarter of a second
	f(20_000, 50, 0)                       // few and busy
	f(0, 10_000, 0)
	f(0, 0, 0)
}

func TestConnectionsAreConnectionsOfTheNetPackage(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		l, err := poll.New(tcp.(*net.TCPListener), time.Millisecond)
		if err != nil {
			return nil, nil, nil, err
		}
		var run sync.WaitGroup
		run.Go(l.Run)
		if c1, err = net.Dial("tcp", tcp.Addr().String()); err == nil {
			c2, err = l.Accept()
		}
		return c2, c1, func() { c1.Close(); c2.Close(); l.Close(); l.Stop(); run.Wait() }, err
	})
}
