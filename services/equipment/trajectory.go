package equipment

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/storage"
)

// A Survey is what is measured at one depth: m along the hole, degrees.
type Survey struct {
	At       int64 // Unix ns
	Depth    float64
	Inc, Azi float64
	Toolface float64 // NaN: not measured
}

// A Station is a survey with where the hole is, in m from its first survey, and
// how it bends.
type Station struct {
	Survey
	TVD, North, East float64
	DogLeg           float64 // degrees per 30 m since the station before
}

const rad = math.Pi / 180

// Trajectory lays a hole through its surveys by minimum curvature: an arc
// between each two. Surveys are sorted by depth; of two within a metre the later one counts.
func Trajectory(surveys []Survey) []Station {
	surveys = slices.Clone(surveys)
	slices.SortStableFunc(surveys, func(a, b Survey) int { return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.At, b.At)) })
	var out []Station
	for _, s := range surveys {
		if n := len(out); n > 0 && s.Depth-out[n-1].Depth < 1 {
			if s.At < out[n-1].At {
				continue
			}
			out = out[:n-1]
		}
		if len(out) == 0 {
			out = append(out, Station{Survey: s, TVD: s.Depth})
			continue
		}
		a := out[len(out)-1]
		i1, i2, da := a.Inc*rad, s.Inc*rad, (s.Azi-a.Azi)*rad
		bend := math.Acos(max(-1, min(1, math.Cos(i2-i1)-math.Sin(i1)*math.Sin(i2)*(1-math.Cos(da)))))
		ratio := 1.0 // of an arc to its chords
		if bend > 1e-9 {
			ratio = 2 / bend * math.Tan(bend/2)
		}
		md := s.Depth - a.Depth
		half := md / 2 * ratio
		out = append(out, Station{
			Survey: s, TVD: a.TVD + half*(math.Cos(i1)+math.Cos(i2)),
			North:  a.North + half*(math.Sin(i1)*math.Cos(a.Azi*rad)+math.Sin(i2)*math.Cos(s.Azi*rad)),
			East:   a.East + half*(math.Sin(i1)*math.Sin(a.Azi*rad)+math.Sin(i2)*math.Sin(s.Azi*rad)),
			DogLeg: bend / rad * 30 / md,
		})
	}
	return out
}

// surveyEvery is the least distance between surveys that are taken, in m: about
// a stand, or a continuous inclination would be a zigzag of its own noise.
const surveyEvery = 9

// Surveys reads a drill's surveys out of its channels INC, AZI, TF and depth.
func Surveys(ctx context.Context, past Past, drill string, from, to int64) ([]Survey, error) {
	all, err := past.Series(ctx, storage.SeriesQuery{Drill: drill, Channels: []string{"INC", "AZI", "TF", "DMEA", "DBTM"}, From: from, To: to, Points: 20000})
	if err != nil {
		return nil, fmt.Errorf("surveys of %s: %w", drill, err)
	}
	inc, azi, tf, hole, bit := &all[0], &all[1], &all[2], &all[3], &all[4]
	var out []Survey
	for i, at := range inc.TLast {
		s := Survey{At: at, Inc: inc.Last[i], Azi: before(azi, at, 300e9), Toolface: before(tf, at, 300e9), Depth: before(bit, at, 300e9)}
		if s.Depth != s.Depth {
			s.Depth = before(hole, at, 300e9)
		}
		if s.Inc != s.Inc || s.Azi != s.Azi || s.Depth != s.Depth {
			continue
		}
		if n := len(out); n > 0 && math.Abs(s.Depth-out[n-1].Depth) < surveyEvery && s.Inc == out[n-1].Inc && s.Azi == out[n-1].Azi {
			continue // the same survey, repeated
		}
		out = append(out, s)
	}
	return thin(out), nil
}

// thin leaves surveys that lie at least surveyEvery apart: of those between, the last.
func thin(all []Survey) []Survey {
	slices.SortStableFunc(all, func(a, b Survey) int { return cmp.Compare(a.Depth, b.Depth) })
	var out []Survey
	for _, s := range all {
		if n := len(out); n > 0 && s.Depth-out[n-1].Depth < surveyEvery {
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
