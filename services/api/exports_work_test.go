package api

import (
	"reflect"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/services/exports"
)

func TestMaintenanceIsALabelUpToTheWork(t *testing.T) {
	at := func(day int) int64 { return time.Date(2026, 3, day, 6, 0, 0, 0, time.UTC).UnixNano() }
	got := workLabels([]equipment.Maintenance{
		{Drill: "R1", Position: "top_drive/bearing", At: at(20), Activity: "replace", Category: "corrective", Mode: "VIB"},
		{Drill: "R1", Position: "top_drive/bearing", At: at(10), Activity: "service", Category: "preventive"},
		{Drill: "R1", Position: "top_drive/bearing", At: at(20), Activity: "test", Category: "preventive"}, // at the same moment
		{Drill: "R2", Position: "bit", At: at(12), Activity: "replace", Category: "corrective"},
	})
	want := []exports.Span{
		{Drill: "R1", Kind: "work_top_drive_bearing", From: "2025-12-10T06:00:00Z", To: "2026-03-10T06:00:00Z", Value: "service"},
		{Drill: "R2", Kind: "work_bit", From: "2025-12-12T06:00:00Z", To: "2026-03-12T06:00:00Z", Value: "replace"},
		{Drill: "R1", Kind: "work_top_drive_bearing", From: "2026-03-10T06:00:00Z", To: "2026-03-20T06:00:00Z", Value: "VIB"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}
