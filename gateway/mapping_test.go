package gateway_test

import (
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/telemetry"
)

var site = telemetry.Device{ID: "site"} // a broker, which vouches for its drills

func mapped(cfg *gateway.Config) {
	cfg.Names = map[string]gateway.Names{"pardo-edr": {Drop: true, Channels: map[string]gateway.Mapping{
		"hookload": {Channel: "HKLD", Unit: "klbf"}, "stp_press": {Channel: "SPP", Unit: "psi"}, "td_temp_1": {Channel: "TDBT", Unit: "degF"},
		"blk_pos": {Channel: "BPOS", Factor: 0.3048}, "gas_units": {Drop: true}, "odd": {Channel: "WOB", Unit: "furlong"},
	}}}
	cfg.Rules = []gateway.Rule{
		{Topic: "pardo/{drill}/{device}/json", Kind: payload.ThingsBoard, Names: "pardo-edr"},
		{Topic: "spBv1.0/rio/#", Kind: payload.Sparkplug, Drill: "RIG-44"},
		{Topic: "wits/{drill}", Kind: payload.WITS, Field: true},
		{Topic: "homie/{drill}/+/{channel}", Kind: payload.Value, Names: "pardo-edr"},
	}
}

func TestASitesNamesAndUnitsBecomeChannels(t *testing.T) {
	k := kafka(t)
	cfg := config(t, k.ListenAddrs())
	mapped(&cfg)
	g := start(t, cfg, gateway.Deps{Clock: telemetry.NewManualClock(noon)})
	body := `{"ts":1795348800000,"values":{"hookload":281.4,"stp_press":3046,"td_temp_1":156,"blk_pos":48.2,"gas_units":12,"mud_out_pct":54,"odd":1}}`
	if err := g.Accept(t.Context(), site, "pardo/RIG-49/td-0761/json", []byte(body)); err != nil {
		t.Fatal(err)
	}
	f := consume(t, k.ListenAddrs(), topics.Frames).frames(1)[0]
	got := map[string]float64{}
	for _, r := range f.Runs {
		got[r.Channel] = r.Values[0]
	}
	if f.Drill != "RIG-49" || f.Device != "td-0761" || len(got) != 4 || got["HKLD"] != 1252 || got["SPP"] != 21 || got["TDBT"] != 68.9 || got["BPOS"] != 14.69 || f.Flags&telemetry.FlagPartial == 0 {
		t.Errorf("%+v", f)
	}
	q := consume(t, k.ListenAddrs(), topics.Quarantine).quarantined(1)[0]
	if q.Code != gateway.CodeUnit || q.Field != "channels.odd" || string(q.Raw) != body {
		t.Errorf("%+v", q)
	}
	// The same content under a mended list has the same hash: no conflict.
	cfg.Spool.Dir = t.TempDir()
	delete(cfg.Names["pardo-edr"].Channels, "odd")
	mended := start(t, cfg, gateway.Deps{Clock: telemetry.NewManualClock(noon)})
	if err := mended.Accept(t.Context(), site, "pardo/RIG-49/td-0761/json", []byte(body)); err != nil {
		t.Fatal(err)
	}
	again := consume(t, k.ListenAddrs(), topics.Frames).frames(2)[1]
	if again.Hash != f.Hash || again.ID() != f.ID() || again.Flags&telemetry.FlagPartial != 0 {
		t.Errorf("%+v", again)
	}
	out := g.Try(site, "wits/RIG-07", []byte("&&\n01213046\n!!\n"))
	if out.Verdict != "accepted" || out.Frames[0].Channels[0].Channel != "SPP" || out.Frames[0].Channels[0].Values[0] != "21" {
		t.Errorf("%+v", out)
	}
	// A plain value a topic, as Homie and many a PLC's gateway publish: the topic names its channel.
	for topic, want := range map[string]string{"homie/RIG-07/edr/blk_pos": "BPOS 14.69", "mudpulse/v1/RIG-07/value/MTO": "MTO 48.2"} {
		out := g.Try(site, topic, []byte("48.2"))
		if out.Verdict != "accepted" || len(out.Frames) != 1 || out.Frames[0].Channels[0].Channel+" "+string(out.Frames[0].Channels[0].Values[0]) != want {
			t.Errorf("%s: %+v, want %s", topic, out, want)
		}
	}
	for _, topic := range []string{"mudpulse/v1/RIG-07/value", "mudpulse/v1/RIG-07/value/", "mudpulse/v1/RIG-07/csv/MTO"} {
		if out := g.Try(site, topic, []byte("48.2")); out.Verdict == "accepted" {
			t.Errorf("%s is taken: %+v", topic, out)
		}
	}
	// In JSON of ours a channel may say its unit.
	out = g.Try(site, "mudpulse/v1/RIG-07/frames", []byte(`{"ts":1795348800000,"channels":{"SPP":{"value":3046,"unit":"psi"},"WOB":{"value":1,"unit":"furlong"}}}`))
	if len(out.Frames) != 1 || len(out.Frames[0].Channels) != 1 || out.Frames[0].Channels[0].Values[0] != "21" || len(out.Quarantined) != 1 || out.Quarantined[0].Field != "channels.WOB" {
		t.Errorf("%+v", out)
	}
	// A device may use any kind on its own drill's topics.
	c := g.client(t, "RIG-07")
	publish(t, c, "mudpulse/v1/RIG-07/senml", 1, `[{"n":"MTO","u":"K","v":300,"t":1795348800}]`)
	publish(t, c, "mudpulse/v1/RIG-07/csv", 1, "ts,boot,seq,WOB\n2026-11-22T12:00:00Z,b,1,101\n")
	fs := consume(t, k.ListenAddrs(), topics.Frames).frames(4)
	fs = slices.DeleteFunc(fs, func(f *telemetry.Frame) bool { return f.Drill != "RIG-07" })
	if len(fs) != 2 || fs[0].Runs[0].Values[0] != 26.9 || fs[1].Seq != 1 || fs[1].Runs[0].Values[0] != 101 {
		t.Errorf("%+v", fs)
	}
}

// session is a Sparkplug session as pysparkplug encodes it (docs/payloads.md):
// births, data by alias, history, a gap, a death.
func session(t *testing.T) (out []gateway.Message) {
	t.Helper()
	b, err := os.ReadFile("payload/testdata/sparkplug/session.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		topic, text, _ := strings.Cut(line, " ")
		body, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, gateway.Message{Topic: topic, Payload: body})
	}
	return out
}

func TestASparkplugSessionIsReadByItsBirthsAlsoAfterARestart(t *testing.T) {
	k := kafka(t)
	cfg := config(t, k.ListenAddrs())
	mapped(&cfg)
	clock := telemetry.NewManualClock(noon.Add(-2 * time.Hour)) // the session is of 10:00
	g := start(t, cfg, gateway.Deps{Clock: clock})
	all := session(t)
	q := consume(t, k.ListenAddrs(), topics.Quarantine)
	// Data before any birth cannot be read, and is kept.
	if err := g.Accept(t.Context(), site, all[2].Topic, all[2].Payload); err != nil {
		t.Fatal(err)
	}
	if x := q.quarantined(1)[0]; x.Code != gateway.CodeAlias || len(x.Raw) == 0 {
		t.Errorf("%+v", x)
	}
	if err := g.AcceptAll(t.Context(), site, all[:4]); err != nil {
		t.Fatal(err)
	}
	await(t, "births kept", func() bool { _, err := os.Stat(cfg.Spool.Dir + "/sparkplug.json"); return err == nil })
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	g = start(t, cfg, gateway.Deps{Clock: clock})
	if err := g.AcceptAll(t.Context(), site, all[4:]); err != nil {
		t.Fatal(err)
	}
	if x := q.quarantined(1)[0]; x.Code != gateway.CodeGap || !strings.Contains(x.Message, "seq 7 came where 5 was due: 2 messages are missing") {
		t.Errorf("%+v", x)
	}
	if n := g.Counters()["sparkplug_gaps_total"]; n != 1 {
		t.Errorf("%d gaps", n)
	}
	var d telemetry.Decoder
	var hkld, steps []float64
	back := 0
	consume(t, k.ListenAddrs(), topics.Frames, topics.Backfill).until(func(r *kgo.Record) bool {
		var f telemetry.Frame
		if err := d.Decode(r.Value, &f); err != nil {
			t.Fatal(err)
		}
		if f.Device != "N44.edr" || f.Drill != "RIG-44" {
			t.Errorf("%s of %s", f.Device, f.Drill)
		}
		for _, run := range f.Runs {
			switch run.Channel {
			case "HKLD":
				hkld = append(hkld, run.Values...)
			case "steps":
				steps = append(steps, run.Values...)
			}
		}
		if r.Topic == topics.Backfill {
			back++
		}
		return len(hkld) >= 5
	})
	slices.Sort(hkld)
	slices.Sort(steps)
	if !slices.Equal(hkld, []float64{1, 1252, 1252, 1253, 1254}) || steps[len(steps)-1] != -7 || steps[0] != -8 || back != 1 {
		t.Errorf("HKLD %v, steps %v, %d of history", hkld, steps, back)
	}
}

func TestRulesThatSayNothingAreRefusedByName(t *testing.T) {
	cfg := config(t, []string{"127.0.0.1:1"})
	cfg.Rules = []gateway.Rule{{Topic: "a/#/b", Kind: "json"}, {Topic: "a", Kind: "xml"}, {Topic: "a", Kind: "json", Names: "none"}}
	cfg.Names = map[string]gateway.Names{"l": {Channels: map[string]gateway.Mapping{"x": {Channel: "not a tag"}}}}
	err := cfg.Validate()
	for _, want := range []string{"rules.0.topic", "rules.1.kind", "rules.2.names", "names.l.x"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named: %v", want, err)
		}
	}
}

func TestADevicesOwnNamesComeBeforeItsSitesAndNeedNone(t *testing.T) {
	g, err := gateway.New(config(t, []string{"127.0.0.1:1"}), gateway.Deps{Clock: telemetry.NewManualClock(noon), Registry: &registry{}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(names map[string]telemetry.Name, channels, want string) {
		t.Helper()
		d := telemetry.Device{ID: "RIG-07", Drill: "RIG-07", Names: names}
		o := g.Try(d, telemetry.MQTTTopic("RIG-07"), []byte(`{"boot":"b","seq":1,"ts":"2026-11-22T12:00:00Z","channels":`+channels+`}`))
		got := o.Verdict
		for _, fr := range o.Frames {
			for _, c := range fr.Channels {
				got += " " + c.Channel + "=" + c.Values[0]
			}
		}
		for _, q := range o.Quarantined {
			got += " !" + q.Code + "/" + q.Field
		}
		if got != want {
			t.Errorf("%s with %v: %s, want %s", channels, names, got, want)
		}
	}
	psi := map[string]telemetry.Name{"P1": {Channel: "SPP", Unit: "psi"}, "SPP": {Channel: "SPP", Unit: "psi"}, "noise": {Drop: true}, "hk": {Channel: "HKLD", Factor: 10, Shift: 5}}
	f(nil, `{"SPP":3250}`, "partial !physical_limit/channels.SPP")
	f(psi, `{"SPP":3250}`, "accepted SPP=22.4")
	f(psi, `{"P1":3250,"noise":7}`, "accepted SPP=22.4")
	f(psi, `{"hk":100,"WOB":97}`, "accepted HKLD=1005 WOB=97")
	f(map[string]telemetry.Name{"SPP": {Channel: "SPP", Unit: "°C"}}, `{"SPP":3250}`, "partial !unknown_unit/channels.SPP")
}
