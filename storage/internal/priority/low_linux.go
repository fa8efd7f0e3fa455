// Package priority runs work that may wait at low priority: a commit or a screen
// that needs the core has it first.
package priority

import (
	"runtime"
	"syscall"
)

// nice of low work: a tenth of the weight of other work.
const nice = 10

// Low runs f on a thread of low priority, which ends with it. Only what f does
// itself is low, not goroutines that it starts.
func Low(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: who is not root cannot give a thread its priority back
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), nice)
		done <- f()
	}()
	return <-done
}
