package payload_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/telemetry"
)

// render writes what was decoded as one line.
func render(items []payload.Item, e *payload.Error) string {
	if e != nil {
		return e.Code + " " + e.Error()
	}
	var out []string
	for _, it := range items {
		f := it.Frame
		s := fmt.Sprintf("%s/%s/%d@%d", f.Device, f.Boot, f.Seq, f.TS/1e6)
		for _, r := range f.Runs {
			s += fmt.Sprintf(" %s+%d/%d", r.Channel, r.Offset/1e6, r.Every/1e6)
			for i, v := range r.Values {
				s += "," + strconv.FormatFloat(v, 'g', -1, 64)
				if r.Quality != nil {
					s += ":" + string('0'+r.Quality[i])
				}
			}
		}
		if f.Flags&telemetry.FlagUnnumbered != 0 {
			s += " unnumbered"
		}
		if f.Flags&telemetry.FlagUntimed != 0 {
			s += " untimed"
		}
		if f.Simulated {
			s += " simulated"
		}
		if f.Origin == telemetry.Backfill {
			s += " backfill"
		}
		if it.Dropped > 0 {
			s += fmt.Sprint(" dropped=", it.Dropped)
		}
		for _, a := range it.Aside {
			s += fmt.Sprintf(" aside(%s)", a.Error())
		}
		out = append(out, s)
	}
	return strings.Join(out, " | ")
}

func TestTheSpacingOfAWaveformIsReadToTheNanosecond(t *testing.T) {
	var d payload.Decoder
	f := func(every string, want int64) {
		t.Helper()
		items, e := d.JSON([]byte(`{"ts":0,"channels":{"TDACC":{"every_ms":` + every + `,"values":[1,2]}}}`))
		if e != nil || items[0].Frame.Runs[0].Every != want {
			t.Errorf("%s ms: %v, %+v", every, e, items)
		}
	}
	f("0.078125", 78_125)
	f("0.0390625", 39_063)
	f("1.0004", 1_000_000)
	f("100", 100_000_000)
}

func TestJSONIsReadAsTheContractSays(t *testing.T) {
	var d payload.Decoder
	f := func(in, want string) {
		t.Helper()
		if got := render(d.JSON([]byte(in))); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	// The example of the contract.
	f(`{"device":"edr-1","boot":"b1","seq":17,"ts":"2026-11-22T10:00:00.000Z","channels":{"WOB":{"every_ms":100,"values":[101.2,100.8,null]},"MTO":52.3}}`,
		"edr-1/b1/17@1795341600000 WOB+0/100,101.2,100.8,NaN MTO+0/0,52.3")
	f(`{"ts":1795341600000,"values":{"WOB":101.2}}`, "//0@1795341600000 WOB+0/0,101.2 unnumbered")
	f(`[{"ts":1795341600000,"values":{"WOB":1}},{"boot":"b","seq":"2","ts":"1795341601000","channels":{"WOB":2}}]`,
		"//0@1795341600000 WOB+0/0,1 unnumbered | /b/2@1795341601000 WOB+0/0,2")
	f(`{"ts":1795341600000.5,"boot":"b","seq":18446744073709551615,"channels":{"A":{"every_ms":100,"offset_ms":-5,"values":[1,2,3,4],"q":"0123"}}}`,
		"/b/18446744073709551615@1795341600000 A+-5/100,1:0,2:1,3:2,4:3")
	f(`{"ts":"2026-11-22T11:00:00+01:00","channels":{}}`, "//0@1795341600000 unnumbered")
	f(`{"channels":{"A":1}}`, "//0@0 A+0/0,1 unnumbered untimed")
	f(`{"ts":null,"boot":null,"seq":null,"device":null,"simulated":true,"origin":"backfill","channels":{"A":1}}`, "//0@0 A+0/0,1 unnumbered untimed simulated backfill")
	f(`{"seq":4,"ts":0,"channels":{"A":1},"more":{"x":[1,{"y":null}],"z":"…"}}`, "//0@0 A+0/0,1 unnumbered")
	f(`[]`, "")

	// One sample is lost, not the frame.
	f(`{"ts":0,"channels":{"A":NaN,"B":{"every_ms":1,"values":[NaN,-Infinity,1,Infinity,nan]},"C":-999.25,"D":-9999,"E":null,"F":2}}`,
		"//0@0 B+0/1,NaN,NaN,1,NaN,NaN F+0/0,2 unnumbered")
	f(`{"ts":0,"channels":{"A":"7","B":{"every_ms":1,"values":["x",1,true,{"a":1},[2],1e999]},"C":false}}`,
		"//0@0 A+0/0,7 B+0/1,NaN,1,1,NaN,NaN,NaN C+0/0,0 unnumbered dropped=4")
	f(`{"ts":0,"channels":{"A":"101,2","B":" -1.5e1 ","C":"NaN","D":"","E":"high","F":"0x10","G":"-999.25","H":"inf"}}`,
		"//0@0 B+0/0,-15 unnumbered dropped=3")
	f("\ufeff"+`{"ts":0,"channels":{"A":{"value":7},"B":{"values":"8"}}}`, "//0@0 A+0/0,7 B+0/0,8 unnumbered")

	// One run is set aside, not the frame.
	f(`{"ts":0,"channels":{"A":[1,2],"B":[3],"C":{"values":[1,2]},"D":{"every_ms":0,"values":[1,2]},"E":{},"F":4}}`,
		"//0@0 B+0/0,3 F+0/0,4 unnumbered aside(channels.A.every_ms: a run of several samples needs the time between them) aside(channels.C.every_ms: a run of several samples needs the time between them) aside(channels.D.every_ms: a run of several samples needs the time between them) aside(channels.E.values: is missing)")
	f(`{"ts":0,"channels":{"A":{"every_ms":1,"values":[1,2],"q":"0"},"B":{"every_ms":1,"values":[1,2],"q":"09"},"C":{"every_ms":1,"values":[1,2],"q":"0x"},"D":{"every_ms":1e9,"values":[1,2]},"E":{"every_ms":"a","values":[1,2]}}}`,
		`//0@0 unnumbered aside(channels.A.q: 1 digits for 2 samples) aside(channels.B.q: quality 9 is none of 0 good, 1 stale, 2 out of range, 3 estimated) aside(channels.C.q: holds something that is no digit) aside(channels.D.every_ms: the run lasts longer than a day) aside(channels.E.every_ms: is no number of milliseconds)`)

	// The message is refused, and says where.
	f(``, "malformed byte 0: the message is empty; the message ends here")
	f(`{"ts":0,"channels":{"A":1}`, "malformed byte 26: want , or }; the message ends here")
	f(`{"ts":0,"channels":{"A":1}} x`, "malformed byte 28: something follows the message; found 'x'")
	f(`{"ts":0,"channels":{"A":01}}`, "malformed byte 24: want a value; found '0'")
	f(`{"ts":0,"channels":{"A":1.}}`, "malformed byte 26: want a digit after the point; found '}'")
	f(`{"ts":0,"channels":{"A":nul}}`, "malformed byte 24: want null; found 'n'")
	f(`{'ts':0}`, `malformed byte 1: want a key in quotes; found '\''`)
	f("{\"ts\":0,\"channels\":{\"\xff\":1}}", `malformed byte 20: a string is not UTF-8; found '"'`)
	f(`{"ts":0}`, "wrong_shape channels: is missing")
	f(`{"ts":0,"channels":[1]}`, "wrong_shape channels: is no object")
	f(`[{"ts":0,"channels":{"A":1}},7]`, "wrong_shape [1]: is no object")
	f(`[{"ts":0,"channels":{"A":1}},{"ts":"yesterday","channels":{"A":1}}]`, "wrong_shape [1].ts: is no time between 1900 and 2200")
	f(`{"ts":1795724619,"channels":{"A":1}}`, "wrong_shape ts: looks like seconds: it would be 2026-11-26T20:23:39Z")
	f(`{"ts":"2026-11-26T20:00:00","channels":{"A":1}}`, "wrong_shape ts: has no zone")
	f(`{"ts":1795724619000000,"channels":{"A":1}}`, "wrong_shape ts: looks like microseconds: it would be 2026-11-26T20:23:39Z")
	f(`{"ts":1.795724619e18,"channels":{"A":1}}`, "wrong_shape ts: looks like nanoseconds: it would be 2026-11-26T20:23:39Z")
	f(`{"ts":0,"boot":"b","seq":-1,"channels":{}}`, "wrong_shape seq: is no whole number from 0 to 18446744073709551615")
	f(`{"ts":0,"boot":"~b","seq":1,"channels":{}}`, "wrong_shape boot: begins with ~ or holds !, which mark boots that a gateway derives")
	f(`{"ts":0,"device":"a b","channels":{}}`, `wrong_shape device: id "a b": character ' ' at 1: use letters, digits, . _ -`)
	f(`"hello"`, "wrong_shape is no object")
	f(strings.Repeat("[", 100), "wrong_shape [0]: is no object")
	f(`{"x":`+strings.Repeat("[", 100), "too_large byte 37: nested deeper than 32")
	f(`{"ts":0,"channels":{"A":{"every_ms":1,"values":[`+strings.Repeat("1,", telemetry.MaxSamples)+`1]}}}`, "too_large values: more than 65536 samples in one message")
}

func TestProtobufLosesWhatOnlyAGatewayMaySet(t *testing.T) {
	f := telemetry.Frame{
		Drill: "R", Device: "edr", Boot: "b", Seq: 3, Part: 7, TS: 1_000_000_999, Gateway: "gw", Received: 5, Hash: 6, Topic: "t", Flags: telemetry.FlagPartial,
		Runs: []telemetry.Run{
			{Channel: "A", Every: 1e8, Values: []float64{1, -999.25, math.Inf(1)}, Quality: []byte{0, 0, 0}},
			{Channel: "B", Every: 5, Values: []float64{2}}, {Channel: "C"}, {Channel: "D", Values: []float64{math.NaN()}},
		},
	}
	var d payload.Decoder
	items, e := d.Protobuf(telemetry.AppendFrame(nil, &f))
	if got, want := render(items, e), "edr/b/3@1000 A+0/100,1,NaN,NaN B+0/0,2"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if g := items[0].Frame; g.Part != 0 || g.Gateway != "" || g.Received != 0 || g.Hash != 0 || g.Topic != "" || g.Flags != 0 || g.TS != 1_000_000_000 {
		t.Errorf("kept %+v", g)
	}
	if _, e := d.Protobuf([]byte("{}")); e == nil || e.Code != payload.Malformed {
		t.Errorf("JSON on the protobuf topic: %v", e)
	}
}

// The same readings are the same content, however they were written.
func TestContentIsTheSameInJSONAndProtobuf(t *testing.T) {
	var d, p payload.Decoder
	j, e := d.JSON([]byte(`{"device":"d","boot":"b","seq":1,"ts":1000,"channels":{"WOB":{"every_ms":100,"values":[101.2,null],"q":"01"},"MTO":{"every_ms":2000,"values":[52.3]},"E":null}}`))
	if e != nil {
		t.Fatal(e)
	}
	q, e := p.Protobuf(telemetry.AppendFrame(nil, &telemetry.Frame{Device: "d", Boot: "b", Seq: 1, TS: 1e9, Runs: []telemetry.Run{
		{Channel: "MTO", Values: []float64{52.3}, Quality: []byte{0}}, {Channel: "WOB", Every: 1e8, Values: []float64{101.2, -9999}, Quality: []byte{0, 1}},
	}}))
	if e != nil {
		t.Fatal(e)
	}
	if a, b := telemetry.ContentHash(&j[0].Frame), telemetry.ContentHash(&q[0].Frame); a != b {
		t.Errorf("%x %x:\n%s\n%s", a, b, render(j, nil), render(q, nil))
	}
}

// second is one drill's second of 100 readings, in JSON.
func second(tb testing.TB) []byte {
	tb.Helper()
	type run struct {
		Every  int       `json:"every_ms"`
		Values []float64 `json:"values"`
	}
	m := map[string]any{"device": "edr-1", "boot": "b1", "seq": 17, "ts": 1795341600000}
	channels := map[string]run{}
	for i, c := range telemetry.DefaultCatalogue().All()[:24] {
		n := map[telemetry.Class]int{telemetry.Fast: 10, telemetry.Medium: 2, telemetry.Slow: 1}[c.Class]
		r := run{Every: 1000 / n}
		for k := range n {
			r.Values = append(r.Values, math.Round(10*(c.NormalLow+float64(i+k)))/10)
		}
		channels[c.Tag] = r
	}
	m["channels"] = channels
	b, err := json.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestDecodingJSONAllocatesNothing(t *testing.T) {
	b := second(t)
	var d payload.Decoder
	if n := testing.AllocsPerRun(100, func() {
		if _, e := d.JSON(b); e != nil {
			t.Fatal(e)
		}
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestAChannelMaySayItsUnit(t *testing.T) {
	var d payload.Decoder
	items, e := d.JSON([]byte(`{"ts":0,"channels":{"SPP":{"value":2600,"unit":"psi"},"WOB":{"every_ms":100,"values":[1,2],"unit":"klbf"},"MTO":52}}`))
	if e != nil || len(items) != 1 || items[0].Units["SPP"] != "psi" || items[0].Units["WOB"] != "klbf" || len(items[0].Units) != 2 {
		t.Errorf("%+v, %v", items, e)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"device":"edr-1","boot":"b1","seq":17,"ts":"2026-11-22T10:00:00.000Z","channels":{"WOB":{"every_ms":100,"offset_ms":3,"values":[101.2,100.8,null],"q":"012"},"MTO":52.3e1}}`))
	f.Add([]byte(`[{"ts":1795341600000,"values":{"WOB":-0.5}},{"values":{"A":NaN,"é":"x"}}]`))
	f.Add(second(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d payload.Decoder
		items, e := d.JSON(b)
		if e != nil {
			if e.Message == "" || e.Cure == "" {
				t.Fatalf("an error without message or cure: %+v", e)
			}
			if json.Valid(b) && utf8.Valid(b) && e.Code == payload.Malformed {
				t.Fatalf("valid JSON is called malformed: %v", e)
			}
			return
		}
		for _, it := range items {
			check(t, &it)
		}
	})
}

func check(t *testing.T, it *payload.Item) {
	for _, r := range it.Frame.Runs {
		if len(r.Values) == 0 || r.Quality != nil && len(r.Quality) != len(r.Values) || len(r.Values) > 1 && r.Every <= 0 {
			t.Fatalf("run %+v", r)
		}
		for _, v := range r.Values {
			if math.IsInf(v, 0) {
				t.Fatal("an infinity came through")
			}
		}
	}
	var d telemetry.Decoder
	var again telemetry.Frame
	if err := d.Decode(telemetry.AppendFrame(nil, &it.Frame), &again); err != nil && len(it.Frame.Runs) < telemetry.MaxRuns {
		t.Fatalf("cannot be encoded: %v", err)
	}
}

func FuzzProtobuf(f *testing.F) {
	f.Add(telemetry.AppendFrame(nil, &telemetry.Frame{Device: "d", Boot: "b", Seq: 1, TS: 1e9, Runs: []telemetry.Run{{Channel: "A", Every: 1e8, Values: []float64{1, 2}, Quality: []byte{1, 0}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d payload.Decoder
		items, e := d.Protobuf(b)
		if e != nil {
			return
		}
		check(t, &items[0])
	})
}

// Every number is the float64 that the standard library reads.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1e5", "123456789012345678901234567890", "0.1", "9007199254740993", "1e-400", "0.000000000000000000000000000001", "101.2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want float64
		if len(s) > 400 || json.Unmarshal([]byte(s), &want) != nil || strings.TrimSpace(s) == "null" || want == -999.25 || want == -9999 {
			return
		}
		var d payload.Decoder
		items, e := d.JSON([]byte(`{"ts":0,"channels":{"A":` + s + `}}`))
		if e != nil {
			t.Fatalf("%q: %v", s, e)
		}
		if got := items[0].Frame.Runs[0].Values[0]; math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q: %v, not %v", s, got, want)
		}
	})
}

func BenchmarkJSON100(b *testing.B) {
	msg := second(b)
	var d payload.Decoder
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		if _, e := d.JSON(msg); e != nil {
			b.Fatal(e)
		}
	}
}

// What the standard library would cost; it also refuses a bare NaN.
func BenchmarkStandardJSON100(b *testing.B) {
	msg := second(b)
	b.ReportAllocs()
	for b.Loop() {
		var m struct {
			Device, Boot string
			Seq, TS      int64
			Channels     map[string]struct {
				Every  int `json:"every_ms"`
				Values []float64
			}
		}
		if err := json.Unmarshal(msg, &m); err != nil {
			b.Fatal(err)
		}
	}
}
