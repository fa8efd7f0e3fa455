package telemetry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

func TestTheDefaultDrillSendsAHundredReadingsASecond(t *testing.T) {
	cat := telemetry.DefaultCatalogue()
	perSecond := 0.0
	for _, class := range []telemetry.Class{telemetry.Fast, telemetry.Medium, telemetry.Slow} {
		n := len(cat.OfClass(class))
		if n != 8 {
			t.Errorf("%v: %d channels, want 8", class, n)
		}
		perSecond += float64(n) * class.Hz()
	}
	if perSecond != 100 {
		t.Errorf("%v readings a second, want 100", perSecond)
	}
	for _, c := range cat.All() {
		if !(c.PhysLow <= c.Low && c.Low <= c.NormalLow && c.NormalLow < c.NormalHigh && c.NormalHigh <= c.High && c.High <= c.PhysHigh) {
			t.Errorf("%s: ranges do not nest: physical %v…%v, plausible %v…%v, normal %v…%v", c.Tag, c.PhysLow, c.PhysHigh, c.Low, c.High, c.NormalLow, c.NormalHigh)
		}
		if c.What == "" || c.Unit == "" || c.Factor == 0 || c.Resolution <= 0 {
			t.Errorf("%s: incomplete: %+v", c.Tag, c)
		}
	}
}

func TestPressureInPSISentAsMPaIsOutsidePhysicalLimits(t *testing.T) {
	spp := telemetry.DefaultCatalogue().Get("spp")
	if spp == nil || spp.Tag != "SPP" {
		t.Fatalf("spp: %+v", spp)
	}
	if psi := 3200.0; psi <= spp.PhysHigh {
		t.Errorf("%v passes as MPa", psi)
	}
}

func TestChannelTags(t *testing.T) {
	f := func(tag string, ok bool) {
		t.Helper()
		if err := telemetry.ValidTag(tag); (err == nil) != ok {
			t.Errorf("%q: %v", tag, err)
		}
	}
	f("WOB", true)
	f("s1", true)
	f("bearing_temp_2", true)
	f(strings.Repeat("A", 24), true)
	f("", false)
	f("1a", false)
	f("_a", false)
	f("a_", false)
	f("a__b", false)
	f("a.b", false)
	f("Öl", false)
	f(strings.Repeat("A", 25), false)
}

func TestTagsAreUniqueWithoutRegardToCase(t *testing.T) {
	cat := telemetry.DefaultCatalogue()
	if err := cat.Register(telemetry.Channel{Tag: "wob"}); err == nil || !strings.Contains(err.Error(), "WOB") {
		t.Errorf("wob beside WOB: %v", err)
	}
	if err := cat.Register(telemetry.Channel{Tag: "MYTEMP", Unit: "°C", User: true}); err != nil {
		t.Error(err)
	}
	if cat.Get("mytemp") == nil {
		t.Error("MYTEMP not found")
	}
}

func TestMQTTTopics(t *testing.T) {
	f := func(topic, drill string, proto bool) {
		t.Helper()
		d, p, err := telemetry.ParseMQTTTopic(topic)
		if d != drill || p != proto || (err == nil) != (drill != "") {
			t.Errorf("%q: %q %v %v", topic, d, p, err)
		}
	}
	f("mudpulse/v1/RIG-07/frames", "RIG-07", false)
	f("mudpulse/v1/RIG-07/frames.pb", "RIG-07", true)
	f("mudpulse/v1/a/b/frames", "", false)
	f("mudpulse/v1/../frames", "", false)
	f("mudpulse/v1//frames", "", false)
	f("mudpulse/v2/a/frames", "", false)
	f("mudpulse/v1/+/frames", "", false)
	if telemetry.MQTTTopic("a") != "mudpulse/v1/a/frames" || telemetry.MQTTProtoTopic("a") != "mudpulse/v1/a/frames.pb" {
		t.Error("topics")
	}
}

func TestAnIdentityMadeFromThePayloadIsTheSameInAnyGateway(t *testing.T) {
	boot, seq := telemetry.HashIdentity("RIG-07", "t", 5, []byte("payload"))
	again, seq2 := telemetry.HashIdentity("RIG-07", "t", 5, []byte("payload"))
	if boot != again || seq != seq2 || !(telemetry.FrameID{Boot: boot}).Unnumbered() {
		t.Errorf("%s %d, then %s %d", boot, seq, again, seq2)
	}
	if b, s := telemetry.HashIdentity("RIG-07t", "", 5, []byte("payload")); b == boot && s == seq {
		t.Error("fields run into each other")
	}
	if err := telemetry.ValidID(boot); err != nil {
		t.Error(err)
	}
}

func TestAFastClockRunsFastAndSleepsShort(t *testing.T) {
	start := time.Date(2026, 11, 22, 3, 12, 0, 0, time.UTC)
	c := telemetry.NewFastClock(start, 36000)
	if err := telemetry.SleepUntil(context.Background(), c, start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := c.Now().Sub(start); got < time.Hour {
		t.Errorf("woke after %v of its own time", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := telemetry.SleepUntil(ctx, telemetry.SystemClock{}, time.Now().Add(time.Hour)); err == nil {
		t.Error("slept on after being told to stop")
	}
}
