package process

import (
	"io/fs"
	"log/slog"
	"math"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// fewFiles is too few: the store's and the log's are up to a hundred, and each device and each page takes one.
const fewFiles = 1024

// WarnOfLimits says which limits of the system are low for what this process does,
// which is at ease with so many bytes of memory: it is better known at the start than
// by a refused device or a kill -9 of the system's.
func WarnOfLimits(log *slog.Logger, system fs.FS, memory int64) {
	var files syscall.Rlimit // the soft limit is the hard one: Go raises it at the start
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < fewFiles {
		log.Warn("few files may be open: each device and each page takes one; say ulimit -n 65536, or LimitNOFILE= in its unit", "open_files", files.Cur)
	}
	if m := MemoryGiven(system); m < memory {
		log.Warn("little memory is given, and the system ends what takes more: raise it for the container or the unit (MemoryMax=)", "mb", m>>20, "at_ease_mb", memory>>20)
	}
}

// MemoryGiven is how many bytes the process's control groups, of either version, let
// it take; math.MaxInt64 where they say nothing. system is the root of files, without a slash before.
func MemoryGiven(system fs.FS) int64 {
	given := int64(math.MaxInt64)
	b, err := fs.ReadFile(system, "proc/self/cgroup")
	if err != nil {
		return given
	}
	for line := range strings.Lines(string(b)) {
		at := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(at) != 3 {
			continue
		}
		root, file := "sys/fs/cgroup", "memory.max"
		switch {
		case at[0] == "0" && at[1] == "":
		case at[1] == "memory":
			root, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + at[2]); ; group = path.Dir(group) { // a group has no more than those around it
			b, err := fs.ReadFile(system, path.Join(root, group, file))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && bad == nil && n > 0 {
				given = min(given, n)
			}
			if group == "/" {
				break
			}
		}
	}
	return given
}
