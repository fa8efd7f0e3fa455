package harness

import (
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// What a test started outlives the thread that asked for it: seals, for one, end threads.
func TestAProgramOutlivesTheThreadThatStartedIt(t *testing.T) {
	cmd := exec.Command("cat") // until its input ends
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var ended <-chan error
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		ended, err = Launch(cmd)
	}()
	<-gone
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("it was killed: %v", err)
	case <-time.After(200 * time.Millisecond): // the kernel needs none
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("cat ended with %v", err)
	}
}
