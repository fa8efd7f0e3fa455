package evaluate

import (
	"encoding/json"
	"math"
)

// A Report is a Result in numbers; what is unknown is absent.
type Report struct {
	Studies []StudyReport `json:"studies"`
}

// StudyReport is one study's.
type StudyReport struct {
	Name    string   `json:"name"`
	Seed    uint64   `json:"seed"`
	Drills  int      `json:"drills"`
	Days    int      `json:"days"`
	Shifted bool     `json:"shifted"`
	Full    bool     `json:"full_rate"`
	Sides   []Side   `json:"sides"`
	Left    [][]Left `json:"hours_left"` // by contender
}

// MarshalJSON writes null for an estimate of nothing.
func (i Interval) MarshalJSON() ([]byte, error) {
	if math.IsNaN(i.Value) || math.IsNaN(i.Low) || math.IsNaN(i.High) {
		return []byte("null"), nil
	}
	return plain(i)
}

// A Number may be NaN: nothing to estimate from; null in JSON.
type Number float64

// MarshalJSON writes null for NaN.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func plain(i Interval) ([]byte, error) {
	return json.Marshal(map[string]float64{"value": i.Value, "low": i.Low, "high": i.High})
}

// Report returns the numbers of each study.
func (r *Result) Report() Report {
	var out Report
	for _, o := range r.Outcomes {
		f := o.Study.Fleet
		s := StudyReport{Name: o.Study.Name, Seed: f.Seed, Drills: f.Drills, Days: f.Days, Shifted: f.Shifted, Full: o.Study.Full, Sides: r.sides([]*Outcome{o})}
		for k := range r.Contenders {
			s.Left = append(s.Left, told([]*Outcome{o}, k))
		}
		for i := range s.Sides {
			s.Sides[i].Responses = finite(s.Sides[i].Responses)
		}
		out.Studies = append(out.Studies, s)
	}
	return out
}

// finite leaves out dysfunctions that were never seen: their delay is no number.
func finite(all []Response) []Response {
	out := []Response{}
	for _, x := range all {
		if !math.IsNaN(x.Median) {
			out = append(out, x)
		}
	}
	return out
}
