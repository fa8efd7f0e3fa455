package process

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// CrashPoint returns a function that parts call as they pass a place worth
// dying at. With the setting crash = "NAME:N" the process is killed, as by
// kill -9, the Nth time it passes NAME; without, the function does nothing.
func (s *Settings) CrashPoint() (func(name string), error) {
	if s.Crash == "" {
		return func(string) {}, nil
	}
	name, nth, _ := strings.Cut(s.Crash, ":")
	n, err := strconv.ParseInt(nth, 10, 64)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("crash: %q: want NAME:N with N from 1", s.Crash)
	}
	var passed atomic.Int64
	return func(at string) {
		if at == name && passed.Add(1) == n {
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {} // nothing of ours runs on
		}
	}, nil
}
