package process

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
)

// StartProfile writes a CPU profile until the function that it returns is
// called, where the settings ask for one: benchmarks read it.
func (s *Settings) StartProfile() (stop func() error, err error) {
	if s.Profile == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(s.Profile)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
