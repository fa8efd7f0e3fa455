package equipment

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A Kind of part: where it stands, what describes it, when it works.
type Kind struct {
	Name      string   `json:"name"`
	What      string   `json:"what"`
	In        string   `json:"in" doc:"kind of machine that it is part of; empty: it stands by itself"`
	Subsystem string   `json:"subsystem"`
	ISO       string   `json:"iso14224" doc:"equipment class or maintainable item after ISO 14224"`
	Channels  []string `json:"channels" doc:"that describe it: a change begins the baselines of their features anew"`
	Geometry  []string `json:"geometry" doc:"numbers that it may have"`
	Works     string   `json:"works" enum:"drilling,turning,pumping,in place" doc:"when its hours count"`
}

// Event is what since-features count from: hours__since__event_bit_change.
func (k *Kind) Event() string { return k.Name + "_change" }

var bearingGeometry = []string{"balls", "ball_mm", "pitch_mm", "angle_deg"}

// kinds in the order screens show them. Channels of bit and BHA are the
// catalogue's of the subsystem bit.
var kinds = []Kind{
	{Name: "bit", What: "drill bit", Subsystem: telemetry.SubsystemBit, ISO: "drill string, bit", Geometry: []string{"diameter_m", "blades", "nozzle_area_mm2"}, Works: "drilling"},
	{Name: "bha", What: "bottom-hole assembly", Subsystem: telemetry.SubsystemBit, ISO: "drill string, BHA", Geometry: []string{"length_m", "mass_kg"}, Works: "drilling"},
	{Name: "mud_motor", What: "mud motor", Subsystem: telemetry.SubsystemBit, ISO: "drill string, downhole motor", Channels: []string{"MMRP"}, Geometry: []string{"lobes", "stages", "displacement_l"}, Works: "drilling"},
	{Name: "top_drive", What: "top drive", Subsystem: telemetry.SubsystemTopDrive, ISO: "TD top drive", Channels: []string{"TDVEL", "TDENV", "TDWT", "TDBT", "GBOT", "GBPC", "TDKW"}, Geometry: []string{"power_kw", "ratio"}, Works: "turning"},
	{Name: "bearing", What: "bearing", In: "top_drive", Subsystem: telemetry.SubsystemTopDrive, ISO: "TD top drive, bearing", Channels: []string{"TDENV", "TDBT", "TDVEL"}, Geometry: bearingGeometry, Works: "turning"},
	{Name: "gearbox", What: "gearbox", In: "top_drive", Subsystem: telemetry.SubsystemTopDrive, ISO: "TD top drive, gearbox", Channels: []string{"GBOT", "GBPC", "TDVEL"}, Geometry: []string{"pinion_teeth", "wheel_teeth"}, Works: "turning"},
	{Name: "motor", What: "motor", In: "top_drive", Subsystem: telemetry.SubsystemTopDrive, ISO: "EM electric motor", Channels: []string{"TDWT", "TDKW"}, Geometry: []string{"power_kw", "poles"}, Works: "turning"},
	{Name: "pump", What: "mud pump", Subsystem: telemetry.SubsystemPumps, ISO: "PU pump", Channels: []string{"PPULS"}, Geometry: []string{"cylinders", "stroke_mm"}, Works: "pumping"},
	{Name: "liner", What: "liner", In: "pump", Subsystem: telemetry.SubsystemPumps, ISO: "PU pump, cylinder liner", Channels: []string{"PPULS"}, Geometry: []string{"bore_mm"}, Works: "pumping"},
	{Name: "piston", What: "piston", In: "pump", Subsystem: telemetry.SubsystemPumps, ISO: "PU pump, piston", Channels: []string{"PPULS"}, Works: "pumping"},
	{Name: "valve", What: "valve", In: "pump", Subsystem: telemetry.SubsystemPumps, ISO: "PU pump, valve", Channels: []string{"PPULS"}, Works: "pumping"},
	{Name: "drawworks", What: "drawworks", Subsystem: telemetry.SubsystemHoisting, ISO: "DW drawworks", Channels: []string{"DWBT"}, Geometry: []string{"power_kw"}, Works: "in place"},
	{Name: "brake", What: "brake", In: "drawworks", Subsystem: telemetry.SubsystemHoisting, ISO: "DW drawworks, brake", Channels: []string{"DWBT"}, Geometry: []string{"disc_mm"}, Works: "in place"},
	{Name: "sensor", What: "sensor", Subsystem: telemetry.SubsystemInstruments, ISO: "IP input device", Works: "in place"},
}

// Kinds lists the kinds of parts; cat says which channels describe bit and BHA.
func Kinds(cat *telemetry.Catalogue) []Kind {
	out := slices.Clone(kinds)
	for i := range out {
		k := &out[i]
		if k.Name == "bit" || k.Name == "bha" {
			for _, ch := range cat.All() {
				if ch.Subsystem == telemetry.SubsystemBit {
					k.Channels = append(k.Channels, ch.Tag)
				}
			}
		}
		k.Channels, k.Geometry = append([]string{}, k.Channels...), append([]string{}, k.Geometry...)
	}
	return out
}

// KindNamed returns a kind, nil if there is none of that name.
func KindNamed(cat *telemetry.Catalogue, name string) *Kind {
	all := Kinds(cat)
	if i := slices.IndexFunc(all, func(k Kind) bool { return k.Name == name }); i >= 0 {
		return &all[i]
	}
	return nil
}

func kindNames() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return strings.Join(names, ", ")
}

var positionForm = regexp.MustCompile(`^[a-z]+(_[a-z]+)*(_[0-9]+)?(/[a-z]+(_[a-z]+)*(_[0-9]+)?)?$`)
var numberBehind = regexp.MustCompile(`_[0-9]+$`)

// kindAt returns the kind that stands at a position: bit, pump_2,
// top_drive/bearing, pump_1/liner_3.
func kindAt(cat *telemetry.Catalogue, position string) (*Kind, error) {
	if len(position) > 40 || !positionForm.MatchString(position) {
		return nil, fmt.Errorf("position: %q: want a kind of part, with a number where there are several, below its machine, as bit, pump_2, top_drive/bearing or pump_1/liner_3", position)
	}
	machine, last, below := strings.Cut(position, "/")
	if !below {
		machine, last = "", position
	}
	k := KindNamed(cat, numberBehind.ReplaceAllString(last, ""))
	if k == nil {
		return nil, fmt.Errorf("position: %q: %q is no kind of part: want one of %s", position, last, kindNames())
	}
	if in := numberBehind.ReplaceAllString(machine, ""); in != k.In {
		if k.In == "" {
			return nil, fmt.Errorf("position: %q: a %s stands by itself: want %s", position, k.What, last)
		}
		return nil, fmt.Errorf("position: %q: a %s is part of a %s: want %s/%s", position, k.What, k.In, k.In, last)
	}
	return k, nil
}

// numbersOf are what a part's geometry gives features: itself, and for a bearing
// its defect frequencies in orders of the shaft, for a gear its mesh.
func numbersOf(geometry map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for k, v := range geometry {
		out[k] = v
	}
	if n, d, p := geometry["balls"], geometry["ball_mm"], geometry["pitch_mm"]; n > 0 && d > 0 && p > d {
		r := d / p * math.Cos(geometry["angle_deg"]*math.Pi/180)
		out["bpfo"] = n / 2 * (1 - r) // outer race
		out["bpfi"] = n / 2 * (1 + r) // inner race
		out["bsf"] = p / (2 * d) * (1 - r*r)
		out["ftf"] = (1 - r) / 2
	}
	if z := geometry["pinion_teeth"]; z > 0 {
		out["mesh"] = z
		if w := geometry["wheel_teeth"]; w > 0 {
			out["ratio"] = w / z
		}
	}
	return out
}

// A Code is one of a list of ISO 14224:2016's, as far as rigs use them; tables
// B.5 (activities), B.15 (failure modes of rotating equipment), B.2 (mechanisms).
type Code struct {
	Code string `json:"code"`
	What string `json:"what"`
}

// The lists of codes.
var (
	Activities = []Code{{"replace", "replaced by the same or another item"}, {"repair", "brought back to its function"}, {"modify", "changed"}, {"adjust", "brought back into tolerance"},
		{"refit", "minor repair, cleaned, painted"}, {"check", "cause of failure looked for, no action"}, {"service", "oil, filters, grease"}, {"test", "function tested"}, {"inspection", "looked at"},
		{"overhaul", "major overhaul"}, {"combination", "several of these"}, {"other", "other"}}
	Categories   = []Code{{"corrective", "after a failure"}, {"preventive", "by time or use"}, {"condition", "by condition"}}
	FailureModes = []Code{{"AIR", "abnormal instrument reading"}, {"BRD", "breakdown"}, {"ERO", "erratic output"}, {"ELP", "external leakage, process medium"}, {"ELU", "external leakage, utility medium"},
		{"FTS", "failure to start on demand"}, {"HIO", "high output"}, {"INL", "internal leakage"}, {"LOO", "low output"}, {"NOI", "noise"}, {"OHE", "overheating"}, {"PDE", "parameter deviation"},
		{"PLU", "plugged or choked"}, {"SER", "minor in-service problems"}, {"STD", "structural deficiency"}, {"STP", "failure to stop on demand"}, {"UST", "spurious stop"}, {"VIB", "vibration"},
		{"OTH", "other"}, {"UNK", "unknown"}}
	Mechanisms = []Code{{"1.0", "mechanical, general"}, {"1.1", "leakage"}, {"1.2", "vibration"}, {"1.3", "clearance or alignment"}, {"1.4", "deformation"}, {"1.5", "looseness"}, {"1.6", "sticking"},
		{"2.0", "material, general"}, {"2.1", "cavitation"}, {"2.2", "corrosion"}, {"2.3", "erosion"}, {"2.4", "wear"}, {"2.5", "breakage"}, {"2.6", "fatigue"}, {"2.7", "overheating"}, {"2.8", "burst"},
		{"3.0", "instrument, general"}, {"3.1", "control failure"}, {"3.2", "no signal"}, {"3.3", "faulty signal"}, {"3.4", "out of adjustment"}, {"3.5", "software"}, {"3.6", "common cause"},
		{"4.0", "electrical, general"}, {"4.1", "short circuit"}, {"4.2", "open circuit"}, {"4.3", "no power"}, {"4.4", "faulty power"}, {"4.5", "earth or isolation fault"},
		{"5.0", "external, general"}, {"5.1", "blockage"}, {"5.2", "contamination"}, {"5.3", "miscellaneous external"}, {"6.0", "miscellaneous"}, {"6.1", "no cause found"}, {"6.2", "combined causes"},
		{"6.3", "other"}, {"6.4", "unknown"}}
)

func coded(key, code string, list []Code, need bool) error {
	if code == "" && !need || slices.ContainsFunc(list, func(c Code) bool { return c.Code == code }) {
		return nil
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Code
	}
	return fmt.Errorf("%s: %q is no code of ISO 14224 here: want one of %s", key, code, strings.Join(names, ", "))
}

// KindAt returns the kind that stands at a position, nil where there is none.
func KindAt(cat *telemetry.Catalogue, position string) *Kind {
	k, err := kindAt(cat, position)
	if err != nil {
		return nil
	}
	return k
}

// Numbers are what features read of the part.
func (p *Part) Numbers() map[string]float64 { return numbersOf(p.Geometry) }
