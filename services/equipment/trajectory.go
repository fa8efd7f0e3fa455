package equipment

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/services/trajectory"
	"github.com/mudpulse/mudpulse/storage"
)

// slideBefore is how long before a survey the slide may end whose toolface is told
// with it: the stand is drilled to its end first.
const slideBefore = 2 * 3600e9

// Surveys reads a drill's surveys out of its channels INC, AZI, TF and depth.
func Surveys(ctx context.Context, past Past, drill string, from, to int64) ([]trajectory.Survey, error) {
	all, err := past.Series(ctx, storage.SeriesQuery{Drill: drill, Channels: []string{"INC", "AZI", "TF", "DMEA", "DBTM"}, From: from, To: to, Points: 20000})
	if err != nil {
		return nil, fmt.Errorf("surveys of %s: %w", drill, err)
	}
	inc, azi, tf, hole, bit := &all[0], &all[1], &all[2], &all[3], &all[4]
	var out []trajectory.Survey
	for i, at := range inc.TLast {
		s := trajectory.Survey{At: at, Inc: inc.Last[i], Azi: before(azi, at, 300e9), Toolface: before(tf, at, slideBefore), Depth: before(bit, at, 300e9)}
		if s.Depth != s.Depth {
			s.Depth = before(hole, at, 300e9)
		}
		if s.Inc != s.Inc || s.Azi != s.Azi || s.Depth != s.Depth {
			continue
		}
		if n := len(out); n > 0 && math.Abs(s.Depth-out[n-1].Depth) < trajectory.Every && s.Inc == out[n-1].Inc && s.Azi == out[n-1].Azi {
			continue // the same survey, repeated
		}
		out = append(out, s)
	}
	return thin(out), nil
}

// thin leaves surveys that lie at least trajectory.Every apart: of those between, the last.
func thin(all []trajectory.Survey) []trajectory.Survey {
	slices.SortStableFunc(all, func(a, b trajectory.Survey) int { return cmp.Compare(a.Depth, b.Depth) })
	var out []trajectory.Survey
	for _, s := range all {
		if n := len(out); n > 0 && s.Depth-out[n-1].Depth < trajectory.Every {
			if s.Depth-out[n-1].Depth < 1 && s.At > out[n-1].At {
				out[n-1] = s
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// before returns a series' last value at or before a time, NaN where it is older than that.
func before(s *storage.Series, at, within int64) float64 {
	i, found := slices.BinarySearch(s.TLast, at)
	if !found {
		i--
	}
	if i < 0 || at-s.TLast[i] > within {
		return math.NaN()
	}
	return s.Last[i]
}
