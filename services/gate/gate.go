// Package gate tests a model's version, or edited alarm rules, on what is stored,
// before anybody puts it on: through the very scorer.Partition that scores the
// stream, beside what is on and (a model) beside plain limits, against what is on
// record as having been the matter. It runs in a process of its own, at the lowest
// priority.
package gate

import (
	"fmt"
	"time"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Job is what the process is told; the models' bytes and the frames follow.
type Job struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"` // empty: edited rules are tried, not a model
	Blobs   []string
	Arms    []Placed // first the candidate, then what is on (or what is on without it), then plain limits; of rules: edited, in force
	Tags    []string // of channels that were registered by people
	From    int64    // Unix ns
	To      int64
	Every   int64 // ns: one whole second of each such span is scored; 0: all
	Drills  []string
	Labels  []Label
	Judged  []Verdict
	Key     string // of models, rules, frames and labels: the same key gives the same report
}

// ref names what is tested.
func (j *Job) ref() string { return fmt.Sprintf("%s@%d", j.Name, j.Version) }

// A Placed arm is models and rules that judge together.
type Placed struct {
	Name  string
	Rules []byte // alarms.Rules, JSON
	On    []telemetry.Marker
}

// A Label is a span in which something was the matter with a drill; To is when it
// failed, or was found and mended.
type Label struct {
	Drill string `json:"drill"`
	Kind  string `json:"kind"`
	From  int64  `json:"from,string"`
	To    int64  `json:"to,string"`
	Value string `json:"value,omitempty"`
}

// A Verdict is what a person said of an alarm.
type Verdict struct {
	Drill  string `json:"drill"`
	Rule   string `json:"rule"`
	Raised int64  `json:"raised,string"`
	Right  bool   `json:"right"`
}

// A Report is what came out. Leads are hours, -1 missed.
type Report struct {
	Name     string    `json:"name"`
	Version  int       `json:"version"`
	SHA256   string    `json:"sha256"`
	Key      string    `json:"key"`
	Past     Past      `json:"past"`
	Arms     []Arm     `json:"arms" doc:"the candidate, what is on, plain limits"`
	Failures []Failure `json:"failures" doc:"on record, the longest warning first"`
	Changes  []Change  `json:"changes" doc:"alarms of the candidate beside those of what is on"`
	Gained   int       `json:"gained"`
	Lost     int       `json:"lost"`
	Earlier  int       `json:"earlier"`
	Later    int       `json:"later"`
	TimeLeft []Left    `json:"time_left" doc:"by arm: what was said of the hours left, where a failure on record says what was"`
	Drift    []Drifted `json:"drift" doc:"of the candidate's inputs, the largest first"`
	Verdict  string    `json:"verdict" enum:"better,same,worse,untested"`
	Lead     string    `json:"lead" doc:"in a sentence"`
	For      []string  `json:"for" doc:"what speaks for it"`
	Against  []string  `json:"against" doc:"what speaks against it"`
	Took     float64   `json:"took_s" doc:"processor seconds"`
}

// Past is what was tested on.
type Past struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Drills  int     `json:"drills"`
	Frames  int64   `json:"frames"`
	Rows    int64   `json:"rows" doc:"that the candidate scored"`
	Errors  int64   `json:"errors" doc:"rows that it could not score"`
	Every   float64 `json:"every_s" doc:"one whole second of each such span; 0: all"`
	Months  float64 `json:"drill_months"`
	Labels  int     `json:"labels"`
	Judged  int     `json:"verdicts" doc:"of people on alarms"`
	Refused string  `json:"refused" doc:"why the candidate could not be put on there"`
}

// An Arm is how one of them did.
type Arm struct {
	Name      string   `json:"name"`
	Alarms    int      `json:"alarms" doc:"episodes"`
	Caught    int      `json:"caught" doc:"failures warned of"`
	Of        int      `json:"of" doc:"failures on record"`
	Median    float64  `json:"warning_median_h" doc:"of those caught; -1: none"`
	P10       float64  `json:"warning_p10_h" doc:"nine in ten failures get as much; -1: missed"`
	False     int      `json:"false_alarms" doc:"with nothing on record that explains them"`
	Rate      float64  `json:"false_per_drill_month"`
	Low       float64  `json:"false_low" doc:"95 % between"`
	High      float64  `json:"false_high"`
	Precision float64  `json:"precision" doc:"share of alarms that something on record explains; -1: no alarm"`
	Chatter   int      `json:"chatter" doc:"raised again within 30 minutes"`
	Right     int      `json:"right" doc:"alarms that people called right"`
	Wrong     int      `json:"wrong" doc:"and wrong"`
	Which     []string `json:"which" doc:"false alarms, the first of them"`
}

// A Failure on record, and the warning that each arm gave.
type Failure struct {
	Drill string    `json:"drill"`
	Kind  string    `json:"kind"`
	At    string    `json:"at"`
	Leads []float64 `json:"leads_h" doc:"by arm; -1: missed"`
}

// A Change is an alarm that the candidate would have raised otherwise.
type Change struct {
	How   string  `json:"how" enum:"gained,lost,earlier,later"`
	Drill string  `json:"drill"`
	Rule  string  `json:"rule"`
	At    string  `json:"at" doc:"raised, by the candidate where it raised it"`
	By    float64 `json:"by_h" doc:"earlier or later"`
	True  string  `json:"true" enum:"yes,no,unknown" doc:"whether something on record explains it"`
}

// Left is how well an arm told the hours left.
type Left struct {
	Name string  `json:"name"`
	N    int     `json:"n"`
	MAE  float64 `json:"mae_h"`
	RMSE float64 `json:"rmse_h"`
	PHM  float64 `json:"phm08" doc:"mean of the score of the PHM08 challenge; late counts more"`
}

// Drifted is one input.
type Drifted struct {
	scoring.FieldDrift
}

// much is the PSI from which on an input is said to have moved (the usual reading
// of it: below 0.1 none, to 0.25 some, above it much).
const much = 0.25

// moved lists the inputs that have.
func (r *Report) moved() (out []string) {
	for _, d := range r.Drift {
		if d.PSI >= much {
			out = append(out, fmt.Sprintf("%s %.2f", d.Name, d.PSI))
		}
	}
	return out
}

const hour = float64(time.Hour)

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

func day(ns int64) string { return time.Unix(0, ns).UTC().Format("2 Jan") }

// standing makes a registry's standing of a report.
func (r *Report) standing(report []byte) models.Standing {
	return models.Standing{Name: r.Name, Version: r.Version, State: models.Done, Verdict: r.Verdict, Why: r.Against, Report: report}
}
