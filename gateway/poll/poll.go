// Package poll accepts TCP connections and reads them in rounds. Where very many
// connections send a little each, most of what a message costs is that a process
// is woken for it alone; in rounds one wake-up serves many. A round is awaited
// only where that pays and hardly delays: see Wait.
//
// On Linux it is an epoll of its own beside the runtime's; elsewhere connections
// are the net package's.
package poll

import "time"

const (
	roundOf  = 100  // connections that a round is worth waiting for
	frequent = 3000 // connections read a second, below which nothing is awaited
	share    = 50   // at most this part of the time between two messages of a connection is waited
	leastGap = time.Millisecond
)

// Wait returns how long a round lasts: until a good number of connections have
// something to say, if they come often, but no longer than a fiftieth of the time
// between two messages of a connection, and no longer than most. So few busy
// connections are never made to wait.
func Wait(perSecond float64, connections int, most time.Duration) time.Duration {
	if perSecond < frequent {
		return 0
	}
	each := float64(time.Second) / perSecond
	d := time.Duration(min(each*roundOf, each*float64(connections)/share, float64(most)))
	if d < leastGap {
		return 0
	}
	return d
}
