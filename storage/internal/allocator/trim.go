//go:build cgo

// Package allocator is C's: DuckDB's memory comes from there. Its blocks come from a
// jemalloc of its own where it has one, all else from the system's.
package allocator

// #include <stdlib.h>
// #include <sys/types.h>
//
// // DuckDB's jemalloc; NULL where it is built without (jemalloc(3), mallctl).
// extern int duckdb_je_mallctl(const char *name, void *old, size_t *oldlen, void *set, size_t len) __attribute__((weak));
//
// static void settle_blocks(void) {
//   if (!duckdb_je_mallctl || getenv("DUCKDB_JE_MALLOC_CONF")) return;
//   ssize_t dirty = 500, muzzy = 0; // ms
//   duckdb_je_mallctl("arenas.dirty_decay_ms", NULL, NULL, &dirty, sizeof dirty);
//   duckdb_je_mallctl("arenas.muzzy_decay_ms", NULL, NULL, &muzzy, sizeof muzzy);
//   duckdb_je_mallctl("arena.0.dirty_decay_ms", NULL, NULL, &dirty, sizeof dirty);
//   duckdb_je_mallctl("arena.0.muzzy_decay_ms", NULL, NULL, &muzzy, sizeof muzzy);
// }
// static void purge_blocks(void) {
//   if (duckdb_je_mallctl) duckdb_je_mallctl("arena.4096.purge", NULL, NULL, NULL, 0); // MALLCTL_ARENAS_ALL
// }
//
// #ifdef __GLIBC__
// #include <malloc.h>
// static void trim(void) { purge_blocks(); malloc_trim(0); }
// static void settle(void) {
//   settle_blocks();
//   if (!getenv("MALLOC_ARENA_MAX")) mallopt(M_ARENA_MAX, 2);
//   if (!getenv("MALLOC_MMAP_THRESHOLD_")) mallopt(M_MMAP_THRESHOLD, 128 << 10);
//   if (!getenv("MALLOC_TRIM_THRESHOLD_")) mallopt(M_TRIM_THRESHOLD, 512 << 10);
// }
// #else
// static void trim(void) { purge_blocks(); }
// static void settle(void) { settle_blocks(); }
// #endif
import "C"

// Trim gives the system back what is free in between: what a seal or a checkpoint
// freed both allocators keep, and Go's collector does not see it. It takes milliseconds.
func Trim() { C.trim() }

// Settle lets both keep less of what is freed. By itself glibc opens an arena for each
// of up to eight threads a core, whose holes the others do not use, and after the first
// large piece that is freed it takes pieces of that size (to 32 MB) from an arena, where
// they leave holes; jemalloc keeps free pages for a while, and then, until the system
// lacks memory, pages that still count as the process's. The environment's words
// (mallopt(3), DUCKDB_JE_MALLOC_CONF) count more. It is called before DuckDB's first thread runs.
func Settle() { C.settle() }
