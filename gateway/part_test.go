package gateway_test

import (
	"testing"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestARunThatIsDrivenAgainGoesAsAPartOfItsFrame(t *testing.T) {
	k := kafka(t)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{Clock: telemetry.NewManualClock(noon)})
	d := telemetry.Device{ID: "RIG-07", Drill: "RIG-07"}
	mended := `{"boot":"b","seq":1,"ts":"2026-11-22T12:00:00Z","channels":{"SPP":22.4,"WOB":100}}`
	if err := g.Accept(t.Context(), d, telemetry.MQTTTopic("RIG-07"), []byte(mended), gateway.AsPart(2, "SPP")); err != nil {
		t.Fatal(err)
	}
	f := consume(t, k.ListenAddrs(), topics.Frames).frames(1)[0]
	if f.Seq != 1 || f.Part != 2 || len(f.Runs) != 1 || f.Runs[0].Channel != "SPP" || f.Runs[0].Values[0] != 22.4 {
		t.Errorf("%+v", f)
	}
}
