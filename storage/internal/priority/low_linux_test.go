package priority

import (
	"errors"
	"syscall"
	"testing"
)

func TestLowWorkRunsAtLowPriority(t *testing.T) {
	of := func() int {
		raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid()) // the kernel gives 20 - nice
		if err != nil {
			t.Fatal(err)
		}
		return 20 - raw
	}
	want := errors.New("of the work")
	low := 0
	if err := Low(func() error { low = of(); return want }); !errors.Is(err, want) {
		t.Errorf("%v is returned", err)
	}
	if low < nice {
		t.Errorf("low work runs at nice %d", low)
	}
}
