package ledger

import (
	"math"
	"strconv"
	"strings"
)

// SplitBoot returns the boot under which a source is kept, and the hash that a
// boot made of one carries: "~0123…" is ("~", hash), "b1!9f" is ("b1!", hash).
func SplitBoot(boot string) (base string, uid uint64) {
	i := strings.LastIndexAny(boot, "~!")
	if i < 0 || boot[i] == '~' && i > 0 {
		return boot, 0
	}
	n, err := strconv.ParseUint(boot[i+1:], 16, 64)
	if err != nil || JoinBoot(boot[:i+1], n) != boot {
		return boot, 0
	}
	return boot[:i+1], n
}

// JoinBoot is the inverse of SplitBoot.
func JoinBoot(base string, uid uint64) string {
	switch {
	case base == "~":
		s := strconv.FormatUint(uid, 16)
		return "~" + strings.Repeat("0", 16-len(s)) + s
	case strings.HasSuffix(base, "!"):
		return base + strconv.FormatUint(uid, 16)
	}
	return base
}

// Counted reports whether a source's numbers are hashes, or sparse: counted, not numbered.
func Counted(base string) bool { return base == "~" || strings.HasSuffix(base, "!") }

// Sum adds without wrapping.
func Sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
