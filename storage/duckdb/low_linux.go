package duckdb

import (
	"runtime"
	"syscall"
)

// lowNice is the priority of work that nobody waits for: a tenth of the weight of what somebody does.
const lowNice = 10

// lowly runs f on a thread of low priority, which ends with it.
func lowly(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: a thread cannot have its priority back unless it is root's
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowNice)
		done <- f()
	}()
	return <-done
}
