package gate

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

// beNice sets the lowest priority for the threads there are; those to come inherit
// it. Linux keeps it by thread. Without it the test is a worse neighbour, and no more.
func beNice() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, tid, 19) // the thread may have ended
		}
	}
}

// spent is the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
