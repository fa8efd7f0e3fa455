package process

import (
	"bytes"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheMemoryThatControlGroupsGiveIsTheLeastOfTheirs(t *testing.T) {
	f := func(want int64, files ...string) {
		t.Helper()
		system := fstest.MapFS{}
		for i := 0; i < len(files); i += 2 {
			system[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
		}
		if got := MemoryGiven(system); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	const none = math.MaxInt64
	f(none)
	f(none, "proc/self/cgroup", "0::/\n")
	f(none, "proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/memory.max", "max\n")
	f(512<<20, "proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/memory.max", "536870912\n", "sys/fs/cgroup/a/b/memory.max", "max\n")
	f(1<<20, "proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "1048576\n") // as a container sees itself
	f(1<<20, "proc/self/cgroup", "12:cpu:/x\n9:memory:/x\n0::/y\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1048576\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")

	var out bytes.Buffer
	WarnOfLimits(slog.New(slog.NewTextHandler(&out, nil)), fstest.MapFS{"proc/self/cgroup": {Data: []byte("0::/\n")}, "sys/fs/cgroup/memory.max": {Data: []byte("536870912")}}, 1<<30)
	if !strings.Contains(out.String(), "MemoryMax=") || !strings.Contains(out.String(), "mb=512") {
		t.Errorf("of half a gigabyte it said %q", out.String())
	}
}
