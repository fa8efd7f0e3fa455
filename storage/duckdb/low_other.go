//go:build !linux

package duckdb

// lowly runs f; threads have priorities of their own only on Linux.
func lowly(f func() error) error { return f() }
