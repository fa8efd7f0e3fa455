package platform

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
)

func TestAStoreThatMustBeOpenedAgainStartsTheProcessAnew(t *testing.T) {
	broken, other := fmt.Errorf("writer: commit: %w", storage.ErrBroken), errors.New("disk")
	for _, c := range []struct {
		err  error
		up   time.Duration
		anew bool
	}{{broken, time.Hour, true}, {broken, time.Second, false}, {other, time.Hour, false}, {nil, time.Hour, false}} {
		var out strings.Builder
		ran := false
		err := again(c.err, c.up, &out, func(file string, args, env []string) error {
			if self, _ := os.Executable(); file != self || len(args) != len(os.Args) || len(env) == 0 {
				t.Errorf("started %s %q", file, args)
			}
			ran = true
			return nil
		})
		if ran != c.anew || c.anew != strings.Contains(out.String(), "starting again") {
			t.Errorf("%v after %v: started anew: %v, said %q", c.err, c.up, ran, out.String())
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v came back as %v", c.err, err)
		}
	}
}
