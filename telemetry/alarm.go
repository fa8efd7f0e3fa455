package telemetry

import "encoding/json"

// Priorities of alarms (ISA-18.2; research: act now, this tour, plan).
const (
	P1 = 1
	P2 = 2
	P3 = 3
)

// What an AlarmEvent says.
const (
	AlarmRaised     = "raised"
	AlarmAgain      = "again"      // holds again, soon after it was cleared: the same alarm
	AlarmCleared    = "cleared"    // returned to normal
	AlarmAmended    = "amended"    // late data changed what it rests on
	AlarmContext    = "context"    // readings of the ten minutes after
	AlarmEscalate   = "escalate"   // its priority rose
	AlarmSuppressed = "suppressed" // held back by design: the rig is in none of the rule's states
	AlarmReleased   = "released"   // no longer held back
)

// An AlarmEvent is one step of an alarm as the scorer detects it; records of
// the alarms topic. What people do to an alarm is a Command. Times are Unix ns.
type AlarmEvent struct {
	Event string `json:"event"` // AlarmRaised, …
	ID    string `json:"id"`    // drill/rule/raised tick in seconds: the same on every replay
	Drill string `json:"drill"`
	Rule  string `json:"rule"`
	RuleV int    `json:"rule_version"`
	// Incident is the id of the first alarm of the fault that this one belongs to;
	// its own id where it is the first. Empty in records of earlier versions.
	Incident    string `json:"incident,omitempty"`
	RulesSHA256 string `json:"rules_sha256,omitempty"` // of all rules in force

	At     int64 `json:"at,string"`     // tick of this step
	Raised int64 `json:"raised,string"` // tick when it was raised

	Priority  int     `json:"priority"` // P1…P3
	Subsystem string  `json:"subsystem"`
	Title     string  `json:"title"`  // "Wash-out in the drill string"
	Reason    string  `json:"reason"` // why, in a driller's words, numbers filled in
	Advice    string  `json:"advice"` // what to do, by whom
	Signal    string  `json:"signal"` // channel, feature or model.output that crossed
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"`
	Limit     float64 `json:"limit"`
	State     string  `json:"state"` // of the rig when raised
	Health    float64 `json:"health,omitempty"`
	TimeLeft  float64 `json:"time_left_h,omitempty"` // hours; 0 unknown

	Model       string    `json:"model,omitempty"` // name@version; empty for a limit rule
	ModelSHA256 string    `json:"model_sha256,omitempty"`
	Origin      Origin    `json:"origin"`
	Simulated   bool      `json:"simulated,omitempty"`
	Runs        []string  `json:"runs,omitempty"` // of the parts in place, as Score.Runs
	Evidence    *Evidence `json:"evidence,omitempty"`
}

// Evidence is frozen when a step is made; that of AlarmRaised is the fullest.
type Evidence struct {
	Tick          int64           `json:"tick,string"`
	Rule          json.RawMessage `json:"rule,omitempty"` // as it stood, of AlarmRaised: limit, hysteresis, delays, states
	Inputs        []Measured      `json:"inputs"`
	Contributions []Contribution  `json:"contributions,omitempty"` // with their baseline they sum to the score
	Baseline      float64         `json:"baseline,omitempty"`
	Score         float64         `json:"score"`
	Frames        []FrameID       `json:"frames"`
	Snapshots     []Snapshot      `json:"snapshots,omitempty"` // of waveforms, that inputs were computed of: the newest of each channel
	Offset        string          `json:"offset,omitempty"`    // topic-partition-offset of the last cause
	Prev          string          `json:"prev,omitempty"`      // SHA-256 of the record before, hex
	Hash          string          `json:"hash,omitempty"`
}

// A Snapshot is a waveform as it was stored.
type Snapshot struct {
	Channel string  `json:"channel"`
	TS      int64   `json:"ts,string"` // of its first sample
	Frame   FrameID `json:"frame"`
	Hash    string  `json:"hash"` // of the frame's content, hex: ContentHash
}

// Measured is one input as it stood.
type Measured struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Missing bool    `json:"missing,omitempty"`
	Unit    string  `json:"unit,omitempty"`
	Low     float64 `json:"low,omitempty"` // normal band, where known (Low < High)
	High    float64 `json:"high,omitempty"`
}

// Contribution is what one input added to the score, in its unit.
type Contribution struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// A Command is what a person asked for; records of the commands topic, keyed
// by drill, replayed like frames.
type Command struct {
	ID     string          `json:"id"`
	Kind   string          `json:"kind"` // ack, shelve, unshelve, out_of_service, in_service, note, disposition
	Drill  string          `json:"drill"`
	Alarm  string          `json:"alarm"`
	By     string          `json:"by"`
	At     int64           `json:"at,string"` // Unix ns, process clock
	Text   string          `json:"text,omitempty"`
	Until  int64           `json:"until,string,omitempty"` // end of shelving
	Value  string          `json:"value,omitempty"`        // disposition: right, wrong, unsure
	Detail json.RawMessage `json:"detail,omitempty"`
}
