//go:build !linux

package exports

// niced runs f; priorities by thread are Linux's.
func niced(f func() error) error { return f() }
