package exports

import (
	"runtime"
	"syscall"
)

// niceness leaves the stream most of a busy processor, and an export enough to end.
const niceness = 5

// niced runs f on a thread of its own at a lower priority: Linux keeps it by thread.
func niced(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()                                                    // never unlocked: the thread ends with the goroutine
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness) // it is slower without, and no more
		done <- f()
	}()
	return <-done
}
