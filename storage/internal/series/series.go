// Package series is what all columnstores do alike with a series: what may be asked, and where it has gaps.
package series

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mudpulse/mudpulse/storage"
)

// Gaps shorter than this are never shown: frames of a second come a second apart.
const leastGap = int64(2.5e9)

// Check refuses a question that cannot be answered, naming the field.
func Check(q storage.SeriesQuery) error {
	switch {
	case q.From >= q.To:
		return errors.New("series: from must be before to")
	case q.Points < 1 || q.Points > storage.MaxPoints:
		return fmt.Errorf("series: points: must be 1 to %d, not %d", storage.MaxPoints, q.Points)
	case len(q.Channels) == 0 || len(q.Channels) > storage.MaxChannels:
		return fmt.Errorf("series: channels: must be 1 to %d, not %d", storage.MaxChannels, len(q.Channels))
	}
	return nil
}

// Finish finds gaps: silences longer than two and a half times what is usual
// between buckets. What is usual is the series' own, so that history of a frame
// a minute is not all gaps.
func Finish(s *storage.Series) {
	s.Raw = true
	for _, n := range s.N {
		s.Raw = s.Raw && n == 1
	}
	if len(s.T) < 2 {
		return
	}
	steps := make([]int64, len(s.T)-1)
	for i := range steps {
		steps[i] = s.T[i+1] - s.T[i]
	}
	slices.Sort(steps)
	least := max(leastGap, steps[len(steps)/2]/2*5)
	for i := 1; i < len(s.T); i++ {
		if s.T[i]-s.TLast[i-1] > least {
			s.Gaps = append(s.Gaps, [2]int64{s.TLast[i-1], s.T[i]})
		}
	}
}
