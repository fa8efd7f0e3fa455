package evaluate

import (
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/simulators/rig"
)

func TestWhatWasNeverSeenIsSaidInWords(t *testing.T) {
	var b strings.Builder
	never := Side{Name: "limits", Responses: []Response{{Kind: rig.StickSlip, Number: 12, Median: math.NaN(), P90: math.NaN()}, {Kind: rig.Whirl, Number: 3, Median: 40, P90: math.NaN()}}}
	responses(&printer{w: &b}, never)
	got := b.String()
	for _, want := range []string{"12 times, none of them seen", "seen after 40 s (median)"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "NaN") {
		t.Errorf("NaN is no word:\n%s", got)
	}
}
