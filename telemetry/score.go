package telemetry

// Rig states, as the scorer recognises them (research: IADC activities). Empty
// or StateUnknown means nothing can be said.
const (
	StateUnknown     = "unknown"
	StateRotary      = "rotary"
	StateSliding     = "sliding"
	StateReaming     = "reaming"
	StateConnection  = "connection" // in slips
	StateTripping    = "tripping"
	StateCirculating = "circulating"
	StateIdle        = "idle"
)

// States lists the rig states in the order screens show them.
var States = [...]string{StateRotary, StateSliding, StateReaming, StateCirculating, StateConnection, StateTripping, StateIdle, StateUnknown}

// Subsystems of a drill, in the order screens show them. Health is judged for each.
const (
	SubsystemHydraulics  = "hydraulics"  // hydraulics and string
	SubsystemPumps       = "pumps"       // mud pumps
	SubsystemBit         = "bit"         // bit and BHA dynamics
	SubsystemTopDrive    = "topdrive"    // motor, bearing, gearbox
	SubsystemHoisting    = "hoisting"    // drawworks, brake
	SubsystemInstruments = "instruments" // sensors and transport
)

// Subsystems lists them in the order screens show them.
var Subsystems = [...]string{SubsystemHydraulics, SubsystemPumps, SubsystemBit, SubsystemTopDrive, SubsystemHoisting, SubsystemInstruments}

// A Score is what all models say of one drill at one tick: a second of the
// drill's event time. Its identity is (drill, tick, CauseHash); a second
// device's frame or a late one amends the tick, and the last record counts.
type Score struct {
	Drill     string
	Tick      int64     // Unix ns, whole second
	Causes    []FrameID // sorted by CompareIDs
	CauseHash uint64
	Origin    Origin
	Simulated bool

	State      string
	StateSince int64 // Unix ns

	Health     float64 // 0..100, the worst subsystem's; NaN: unknown
	Confidence float64 // 0..1, by data quality
	Subsystems []SubsystemHealth
	Reasons    []Reason // most points first
	Results    []Result

	Runs []string // of the parts in place at the tick, by position: "bit:SN-1234"; shared, not to be changed

	TimeLeft, TimeLeftLow, TimeLeftHigh float64 // hours: median, p10, p90; NaN: no model says

	Produced int64 // scorer's wall clock, Unix ns; excluded from equality
}

// SubsystemHealth is the health of one subsystem.
type SubsystemHealth struct {
	Name       string  `json:"name"`
	Health     float64 `json:"health"` // NaN unknown
	Confidence float64 `json:"confidence"`
	At         int64   `json:"at,omitempty"` // tick at which a model said so, while it cannot be asked; 0: this one
}

// A Reason says where points of health went.
type Reason struct {
	Subsystem string
	Model     string // name@version
	Code      string
	Points    float64 // taken from 100
	Feature   string  // name of what was measured
	Value     float64
	Normal    float64 // what it should be; NaN unknown
}

// A Result is what one model said.
type Result struct {
	Model   string // name@version; the activation names its SHA-256
	Shadow  bool   // scored beside, raises nothing
	Outputs []Output
	Error   string // why the row failed; then no outputs
	At      int64  // tick at which a model of a slower cadence said so; 0: this one
}

// An Output is one output or target field of a model.
type Output struct {
	Name   string
	Number float64 // NaN where the value is text or missing
	Text   string
}

// Output returns the number of model's output name, where model is a name without version.
func (s *Score) Output(model, name string) (float64, bool) {
	for i := range s.Results {
		r := &s.Results[i]
		if ModelName(r.Model) != model {
			continue
		}
		for _, o := range r.Outputs {
			if o.Name == name {
				return o.Number, o.Number == o.Number
			}
		}
	}
	return 0, false
}

// ModelName returns the name of "name@version".
func ModelName(ref string) string {
	for i := len(ref) - 1; i >= 0; i-- {
		if ref[i] == '@' {
			return ref[:i]
		}
	}
	return ref
}
