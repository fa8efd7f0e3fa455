package control

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

func TestDevicesAreKnownAgainWithoutTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gw", "devices.json")
	log := slog.New(slog.DiscardHandler)
	d := NewDevices(path, log)
	put := func(id string, dev telemetry.Device) {
		b, err := json.Marshal(dev)
		if err != nil {
			t.Fatal(err)
		}
		d.Handle("device/"+id, b)
	}
	put("a", telemetry.Device{ID: "a", Drill: "RIG-1", Password: "x"})
	put("b", telemetry.Device{ID: "b", Drill: "RIG-2", Password: "x"})
	put("c", telemetry.Device{ID: "other", Drill: "RIG-3"}) // key and value disagree
	put("off", telemetry.Device{ID: "off", Drill: "RIG-4", Disabled: true})
	d.Handle("device/b", nil)
	d.Handle("device/junk", []byte("{"))
	d.Handle("model/a", []byte("{}"))
	for _, d := range []*Devices{d, NewDevices(path, log)} {
		f := func(id string, want bool) {
			t.Helper()
			if dev, ok := d.Device(id); ok != want || ok && dev.Drill != "RIG-1" {
				t.Errorf("%s: %+v %v", id, dev, ok)
			}
		}
		f("a", true)
		f("b", false)
		f("c", false)
		f("off", false)
		f("junk", false)
	}
}
