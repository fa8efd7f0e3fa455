package platform

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/mudpulse/mudpulse/storage"
)

// leastUp is how long a process has run before it starts itself anew: one that ends
// sooner would do nothing else.
const leastUp = time.Minute

// Again starts this program anew in the same process, if err is of a store that must
// be opened again and the process was up for long enough; else err comes back. All
// parts have stopped: what devices send meanwhile waits with them or with the log.
func Again(err error, up time.Duration, out io.Writer) error {
	return again(err, up, out, syscall.Exec)
}

func again(err error, up time.Duration, out io.Writer, exec func(file string, args, env []string) error) error {
	if !errors.Is(err, storage.ErrBroken) || up < leastUp {
		return err
	}
	self, where := os.Executable()
	if where != nil {
		return errors.Join(err, where)
	}
	fmt.Fprintf(out, "mudpulse: %v\nmudpulse: starting again\n", err)
	return errors.Join(err, exec(self, os.Args, os.Environ()))
}
