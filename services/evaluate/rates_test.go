package evaluate

import (
	"math"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A value that climbs by one a second is 29.5 apart by its mean over a minute
// where only the minute's first second is heard; one that stands is not apart.
func TestTheTwoRatesDifferByWhatTheyMissed(t *testing.T) {
	r, err := newRates([]string{"SPP__mean__60s", "WOB__mean__60s", "TQ__mean__60s"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 * 60 {
		at := fleet.Epoch.Add(time.Duration(i) * time.Second).UnixNano()
		state := telemetry.StateRotary
		if i >= 1200 && i < 1230 {
			state = telemetry.StateConnection
		}
		r.take(&telemetry.Frame{TS: at, Runs: []telemetry.Run{
			{Channel: "SPP", Values: []float64{float64(i)}}, {Channel: "WOB", Values: []float64{80}},
		}}, state)
	}
	for _, g := range gaps([]*rates{r}) {
		want, minutes := 0.0, 29 // the minute in which the state changed is left out
		switch g.Name {
		case "SPP__mean__60s":
			want = 29.5
		case "TQ__mean__60s":
			minutes = 0 // never heard
		}
		if g.Minutes != minutes || minutes > 0 && (math.Abs(g.Median-want) > 1e-9 || math.Abs(g.P99-want) > 1e-9) {
			t.Errorf("%+v, want %v apart in %d minutes", g, want, minutes)
		}
	}
}

func TestAlarmsAreTheSameWithinTenMinutes(t *testing.T) {
	at := func(m int) time.Time { return fleet.Epoch.Add(time.Duration(m) * time.Minute) }
	a := []Episode{{Rule: "x", Raised: at(0)}, {Rule: "x", Raised: at(60)}, {Rule: "y", Raised: at(0)}}
	b := []Episode{{Rule: "x", Raised: at(9)}, {Rule: "y", Raised: at(11)}}
	if got := only(a, b); len(got) != 2 || got[0].Raised != at(60) || got[1].Rule != "y" {
		t.Errorf("%v", got)
	}
}
