package equipment

import (
	"errors"
	"reflect"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

func TestADevicesNamesAreThereAfterARestart(t *testing.T) {
	r := registry(t)
	id, _, err := r.Add(t.Context(), "RIG-07", "", "admin")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]telemetry.Name{"P1": {Channel: "SPP", Unit: "psi"}, "x": {Drop: true}}
	if err := r.SetNames(t.Context(), id, names); err != nil {
		t.Fatal(err)
	}
	if err := r.SetNames(t.Context(), "nobody", names); !errors.Is(err, ErrUnknown) {
		t.Errorf("of nobody: %v", err)
	}
	if err := r.SetNames(t.Context(), id, map[string]telemetry.Name{"P1": {Channel: "SPP", Unit: "kN"}}); err == nil {
		t.Error("a pressure was taken in kN")
	}
	again := New(r.db, telemetry.DefaultCatalogue(), r.clock, r.out, r.log)
	if err := again.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Registry{r, again} {
		if d, _ := r.Device(id); !reflect.DeepEqual(d.Names, names) {
			t.Errorf("%v", d.Names)
		}
	}
}
