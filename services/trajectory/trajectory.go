// Package trajectory says where a hole goes, and how sharply it bends, from what
// is surveyed along it.
package trajectory

import (
	"cmp"
	"math"
	"slices"
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

// bendOf is the angle between two directions, in radians.
func bendOf(inc1, azi1, inc2, azi2 float64) float64 {
	i1, i2, da := inc1*rad, inc2*rad, (azi2-azi1)*rad
	return math.Acos(max(-1, min(1, math.Cos(i2-i1)-math.Sin(i1)*math.Sin(i2)*(1-math.Cos(da)))))
}

// DogLeg is the severity of the bend between two surveys so many metres apart
// along the hole, in degrees per 30 m.
func DogLeg(inc1, azi1, inc2, azi2, metres float64) float64 {
	return bendOf(inc1, azi1, inc2, azi2) / rad * 30 / metres
}

// Lay lays a hole through its surveys by minimum curvature: an arc
// between each two. Surveys are sorted by depth; of two within a metre the later one counts.
func Lay(surveys []Survey) []Station {
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
		i1, i2, bend := a.Inc*rad, s.Inc*rad, bendOf(a.Inc, a.Azi, s.Inc, s.Azi)
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

// Every is the least distance between surveys that are taken, in m: about
// a stand, or a continuous inclination would be a zigzag of its own noise.
const Every = 9
