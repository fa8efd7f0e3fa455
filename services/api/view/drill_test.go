package view

import (
	"math"
	"slices"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestAFeatureIsSaidInWords(t *testing.T) {
	f := func(want string, parts ...string) {
		t.Helper()
		if got := partWords(parts); got != want {
			t.Errorf("%v: %q, want %q", parts, got, want)
		}
	}
	f(", mean of 10 min, while drilling", "ewma", "10m", "in_rotary")
	f(", slope of 1 h, against its usual", "slope", "1h", "z")
	f("", "last")
}

// A drill of health 99 has no reason: RIG-11 was told that its stick-slip index is 0.06.
func TestAReasonOfFewPointsIsNotTold(t *testing.T) {
	s := &telemetry.Score{Reasons: []telemetry.Reason{
		{Subsystem: telemetry.SubsystemHydraulics, Code: "low", Points: 12, Feature: "SPP", Value: 20, Normal: 22},
		{Subsystem: telemetry.SubsystemBit, Code: "ssi", Points: 2.9, Feature: "SSI__mean__5s", Value: 0.06, Normal: math.NaN()},
		{Subsystem: telemetry.SubsystemTopDrive, Code: "hot", Points: 0.5, Feature: "TDWT", Value: 90, Normal: math.NaN()},
	}}
	f := func(from float64, standing []*alarmlife.Alarm, want ...string) {
		t.Helper()
		var got []string
		for _, r := range Reasons(s, telemetry.DefaultCatalogue(), standing, from) {
			got = append(got, r.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("from %v: %q, want %q", from, got, want)
		}
	}
	pressure, ssi, winding := "Standpipe pressure is 20.00 MPa; normal is 22.00 MPa", "Stick-slip index, mean of 5 s is 0.06", "Motor winding temperature is 90.0 °C"
	f(0, nil, pressure, ssi, winding)
	f(3, nil, pressure)
	f(2.9, nil, pressure, ssi)
	f(13, nil)
	hot := &alarmlife.Alarm{AlarmEvent: telemetry.AlarmEvent{ID: "RIG-11/winding/1", Subsystem: telemetry.SubsystemTopDrive, Reason: "The winding is hot.", Raised: 1}, Status: alarmlife.Unack}
	f(3, []*alarmlife.Alarm{hot}, pressure, "The winding is hot.")
	r := Reasons(s, telemetry.DefaultCatalogue(), []*alarmlife.Alarm{hot}, 3)[1]
	if r.Now != winding || r.Since != Time(hot.Raised) {
		t.Errorf("what is measured now is %q since %v, want %q since when the alarm was raised", r.Now, r.Since, winding)
	}
	hot.Cleared = 2 // went back by itself: its words are not of now
	f(3, []*alarmlife.Alarm{hot}, pressure)
	f(0, []*alarmlife.Alarm{hot}, pressure, ssi, winding)
}
