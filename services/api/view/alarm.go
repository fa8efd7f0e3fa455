package view

import (
	"cmp"
	"encoding/json"
	"math"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Alarm is one alarm as it stands.
type Alarm struct {
	ID           string `json:"id"`
	Drill        string `json:"drill"`
	Rule         string `json:"rule"`
	RuleVersion  int    `json:"rule_version"`
	Incident     string `json:"incident" doc:"id of the first alarm of the same fault; its own where it is the first"`
	Priority     int    `json:"priority" doc:"1 act now, 2 this tour, 3 plan"`
	Subsystem    string `json:"subsystem"`
	Title        string `json:"title"`
	Reason       string `json:"reason"`
	Advice       string `json:"advice"`
	Signal       string `json:"signal"`
	Unit         string `json:"unit"`
	Value        Num    `json:"value"`
	Limit        Num    `json:"limit"`
	RigState     string `json:"rig_state"`
	Raised       Time   `json:"raised"`
	Cleared      Time   `json:"cleared"`
	Status       string `json:"status" enum:"unack,ack,rtn_unack,returned,shelved,suppressed,out_of_service" doc:"ISA-18.2"`
	Process      string `json:"process" enum:"unack,ack,rtn_unack,returned" doc:"what it is under its shelf, or while it is suppressed or out of service"`
	AckedBy      string `json:"acked_by"`
	AckedAt      Time   `json:"acked_at"`
	ShelvedBy    string `json:"shelved_by,omitempty"`
	ShelvedUntil Time   `json:"shelved_until"`
	ShelveReason string `json:"shelve_reason"`
	SuppressedAt Time   `json:"suppressed_at" doc:"held back by the rig's state since"`
	OutBy        string `json:"out_by,omitempty"`
	OutAt        Time   `json:"out_at" doc:"its rule is out of service at this drill since"`
	OutReason    string `json:"out_reason,omitempty"`
	Returns      int    `json:"returns" doc:"times it held again soon after it was cleared"`
	Note         string `json:"note"`
	Disposition  string `json:"disposition" doc:"right, wrong, unsure, or empty"`
	Amended      bool   `json:"amended" doc:"late data changed what it rests on"`
	TimeLeftH    Num    `json:"time_left_h"`
	Model        string `json:"model" doc:"name@version; empty for a limit rule"`
	ModelSHA256  string `json:"model_sha256"`
	Origin       string `json:"origin" enum:"live,backfill"`
	Simulated    bool   `json:"simulated"`

	Runs []string `json:"runs" doc:"parts in place when it was raised, by position"`
}

// AlarmOf shows a.
func AlarmOf(a *alarmlife.Alarm) Alarm {
	return Alarm{
		ID: a.ID, Drill: a.Drill, Rule: a.Rule, RuleVersion: a.RuleV, Incident: cmp.Or(a.Incident, a.ID), Priority: a.Priority, Subsystem: a.Subsystem,
		Title: a.Title, Reason: a.Reason, Advice: a.Advice, Signal: a.Signal, Unit: a.Unit, Value: Num(a.Value), Limit: Num(a.Limit),
		RigState: a.State, Raised: Time(a.Raised), Cleared: Time(a.Cleared), Status: a.Status, Process: a.Process,
		AckedBy: a.AckedBy, AckedAt: Time(a.AckedAt), ShelvedBy: a.ShelvedBy, ShelvedUntil: Time(a.ShelvedUntil), ShelveReason: a.ShelveReason,
		SuppressedAt: Time(a.SuppressedAt), OutBy: a.OutBy, OutAt: Time(a.OutAt), OutReason: a.OutReason, Returns: a.Returns,
		Note: a.Note, Disposition: a.Disposition, Amended: a.Amended, TimeLeftH: Positive(a.TimeLeft),
		Model: a.Model, ModelSHA256: a.ModelSHA256, Origin: a.Origin.String(), Simulated: a.Simulated, Runs: append([]string{}, a.Runs...),
	}
}

// AlarmsOf shows all of list.
func AlarmsOf(list []*alarmlife.Alarm) []Alarm {
	out := make([]Alarm, len(list))
	for i, a := range list {
		out[i] = AlarmOf(a)
	}
	return out
}

// AlarmDetail is an alarm with what it rests on and what happened to it.
type AlarmDetail struct {
	Alarm
	Evidence *Evidence   `json:"evidence"`
	History  []Happening `json:"history"`

	Stood       *alarms.Rule           `json:"rule_as_it_stood" doc:"null in alarms of earlier versions"`
	RulesSHA256 string                 `json:"rules_sha256" doc:"of all rules in force when it was raised"`
	After       *After                 `json:"after" doc:"the readings ten minutes later; null: not yet"`
	Amendments  []After                `json:"amendments" doc:"what late readings changed, oldest first"`
	Check       *alarms.EvidenceReport `json:"check" doc:"of its stored records, computed now; null: the store has them not yet"`
}

// After is a later look at what an alarm rests on.
type After struct {
	At     Time       `json:"at"`
	Text   string     `json:"text"`
	Inputs []Measured `json:"inputs"`
	Hash   string     `json:"hash"`
}

// Happening is one step of an alarm's life.
type Happening struct {
	At   Time   `json:"at"`
	By   string `json:"by" doc:"a person; empty: the detector"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Evidence is frozen when an alarm is raised.
type Evidence struct {
	Tick          Time                     `json:"tick"`
	Inputs        []Measured               `json:"inputs"`
	Contributions []telemetry.Contribution `json:"contributions"`
	Baseline      Num                      `json:"baseline"`
	Score         Num                      `json:"score"`
	Frames        []telemetry.FrameID      `json:"frames"`
	Snapshots     []Snapshot               `json:"snapshots" doc:"of vibration, that inputs were computed of"`
	Offset        string                   `json:"offset,omitempty"`
	Prev          string                   `json:"prev"`
	Hash          string                   `json:"hash"`
}

// Snapshot is a waveform behind an alarm: what GET /drills/{id}/spectrum is asked with.
type Snapshot struct {
	Channel string            `json:"channel"`
	At      Time              `json:"at"`
	Frame   telemetry.FrameID `json:"frame"`
	Hash    string            `json:"hash" doc:"of the frame's content, as the store keeps it"`
}

// Measured is one input as it stood; low and high are its normal band where known.
type Measured struct {
	Name    string `json:"name"`
	Value   Num    `json:"value"`
	Unit    string `json:"unit"`
	Missing bool   `json:"missing"`
	Low     Num    `json:"low"`
	High    Num    `json:"high"`
}

// Add takes one of the alarm's later steps, in their order.
func (d *AlarmDetail) Add(e *telemetry.AlarmEvent) {
	if e.Evidence == nil {
		return
	}
	x := After{At: Time(e.At), Text: e.Reason, Inputs: measured(e.Evidence.Inputs), Hash: e.Evidence.Hash}
	switch e.Event {
	case telemetry.AlarmContext:
		d.After = &x
	case telemetry.AlarmAmended:
		d.Amendments = append(d.Amendments, x)
	}
}

func measured(list []telemetry.Measured) []Measured {
	out := make([]Measured, len(list))
	for i, m := range list {
		v := Measured{Name: m.Name, Value: Num(m.Value), Unit: m.Unit, Missing: m.Missing, Low: Num(math.NaN()), High: Num(math.NaN())}
		if m.Missing {
			v.Value = Num(math.NaN())
		}
		if m.Low < m.High {
			v.Low, v.High = Num(m.Low), Num(m.High)
		}
		out[i] = v
	}
	return out
}

// DetailOf shows a whole.
func DetailOf(a *alarmlife.Alarm) AlarmDetail {
	d := AlarmDetail{Alarm: AlarmOf(a), History: []Happening{}, Amendments: []After{}, RulesSHA256: a.RulesSHA256}
	for _, s := range a.History {
		d.History = append(d.History, Happening{Time(s.At), s.By, s.Kind, s.Text})
	}
	if e := a.Evidence; e != nil {
		d.Evidence = &Evidence{
			Tick: Time(e.Tick), Inputs: measured(e.Inputs), Contributions: append([]telemetry.Contribution{}, e.Contributions...),
			Baseline: Num(e.Baseline), Score: Num(e.Score), Frames: append([]telemetry.FrameID{}, e.Frames...), Offset: e.Offset, Prev: e.Prev, Hash: e.Hash,
		}
		d.Evidence.Snapshots = make([]Snapshot, len(e.Snapshots))
		for i, s := range e.Snapshots {
			d.Evidence.Snapshots[i] = Snapshot{s.Channel, Time(s.TS), s.Frame, s.Hash}
		}
		var r alarms.Rule
		if len(e.Rule) > 0 && json.Unmarshal(e.Rule, &r) == nil {
			d.Stood = &r
		}
	}
	return d
}
