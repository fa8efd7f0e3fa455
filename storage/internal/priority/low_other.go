//go:build !linux

package priority

// Low runs f; threads have priorities of their own only on Linux.
func Low(f func() error) error { return f() }
