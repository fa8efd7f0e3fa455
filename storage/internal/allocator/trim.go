//go:build cgo

// Package allocator is C's: DuckDB's memory comes from there.
package allocator

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static void trim(void) { malloc_trim(0); }
// #else
// static void trim(void) {}
// #endif
import "C"

// Trim gives the system back what is free in between: glibc keeps what a seal or a
// checkpoint freed, and Go's collector does not see it. It takes milliseconds.
func Trim() { C.trim() }
