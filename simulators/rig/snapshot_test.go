package rig

import (
	"testing"
	"time"
)

// A spall stands out of the envelope, as an edge device makes it, and a sound bearing does not.
func TestASpallStandsOutOfTheSnapshotsEnvelope(t *testing.T) {
	epoch := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	hear := func(faults ...Fault) (env, kurtosis float64) {
		r := New("RIG-01", 7, epoch, faults...)
		for at := epoch.Add(9 * 24 * time.Hour); ; at = at.Add(time.Minute) {
			r.Second(at)
			f, ok := r.Snapshot(at)
			if !ok {
				continue
			}
			h := NewRollerBearing().Listen(f.Runs[0].Values, snapshotRate, f.Runs[1].Values[0])
			return h.SNR, h.Kurtosis
		}
	}
	sound, even := hear()
	worn, spiky := hear(Fault{Kind: Bearing, Start: epoch, Life: 10 * 24 * time.Hour})
	if !(sound < 8 && worn > 3*sound && even < 4 && spiky > even) {
		t.Errorf("sound: %.1f, kurtosis %.1f; worn: %.1f, kurtosis %.1f", sound, even, worn, spiky)
	}
}
