// Package alarmlife folds what detectors say of alarms and what people do to
// them into what stands now, after ISA-18.2: unacknowledged, acknowledged,
// returned unacknowledged, returned, shelved, suppressed by design, out of
// service. testdata/transitions.txt is the table of all its transitions. Events
// and commands are two topics without an order between them, both replayed after
// a restart: the fold gives the same whatever the interleaving, and the same again.
package alarmlife

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// What an alarm's status can be.
const (
	Unack    = "unack"     // stands, nobody has answered
	Ack      = "ack"       // stands, somebody has
	RtnUnack = "rtn_unack" // came back to normal before anybody answered
	Returned = "returned"  // came back, answered; or of the past
	Shelved  = "shelved"   // set aside by somebody, until a time

	Suppressed   = "suppressed"     // held back by design, by the rig's state
	OutOfService = "out_of_service" // taken out by somebody, until it is put back
)

// Kinds of telemetry.Command.
const (
	CommandAck         = "ack"
	CommandShelve      = "shelve"
	CommandUnshelve    = "unshelve"
	CommandNote        = "note"
	CommandDisposition = "disposition"

	// These are of a rule at a drill; the alarm's id may end in /0 where none has been raised.
	CommandTakeOut = "out_of_service"
	CommandPutBack = "in_service"
)

// Dispositions are what somebody may say of an alarm.
var Dispositions = []string{"right", "wrong", "unsure"}

// MaxShelve is the longest that an alarm may be set aside.
const MaxShelve = 12 * time.Hour

// Bounds of what one alarm keeps; of more, the oldest go.
const (
	maxEvents   = 200
	maxCommands = 200
)

// An Alarm is what stands now. All times are Unix ns, 0 where not yet.
type Alarm struct {
	telemetry.AlarmEvent        // as raised, with priority and text of its last escalation
	Cleared              int64  // came back to normal
	Status               string // Unack, …
	Process              string // of Unack, Ack, RtnUnack and Returned, which: what it is under its shelf
	Amended              bool   // late data changed what it rests on
	AckedBy              string
	AckedAt              int64
	ShelvedBy            string
	ShelvedUntil         int64
	ShelveReason         string
	SuppressedAt         int64 // held back since; 0: it is not
	OutBy                string
	OutAt                int64
	OutReason            string
	Returns              int    // times it held again soon after it was cleared
	Note                 string // the last one
	Disposition          string // right, wrong, unsure; empty: nobody has judged
	History              []Step // ascending
	Changed              int64  // time of the last step
}

// Standing reports whether the alarm's condition holds or nobody has answered it.
func (a *Alarm) Standing() bool { return a.Status == Unack || a.Status == Ack || a.Status == RtnUnack }

// A Step is one thing that happened to an alarm.
type Step struct {
	At   int64
	By   string // a person; empty: the detector
	Kind string // raised, cleared, ack, …; refused: a command that was not allowed
	Text string
}

// Seen is what a person saw when giving a command; its Command.Detail. An
// acknowledgement of ▲ does not cover the ◆ that it became meanwhile; and a
// command comes after what was seen, whatever the clocks of rig and office say.
type Seen struct {
	Priority int   `json:"priority,omitempty"`
	At       int64 `json:"at,string,omitempty"` // Alarm.Changed
}

// RuleID names a rule at a drill where no alarm of it is known: drill/rule/0.
func RuleID(drill, rule string) string { return drill + "/" + rule + "/0" }

// ParseID takes apart drill/rule/raised-second.
func ParseID(id string) (drill, rule string, raised int64, err error) {
	parts := strings.Split(id, "/")
	if len(parts) == 3 {
		raised, err = strconv.ParseInt(parts[2], 10, 64)
	}
	if len(parts) != 3 || err != nil || parts[0] == "" || parts[1] == "" {
		return "", "", 0, fmt.Errorf("alarm id %q: want drill/rule/second, for example RIG-07/washout/1795342364", id)
	}
	return parts[0], parts[1], raised * int64(time.Second), nil
}
