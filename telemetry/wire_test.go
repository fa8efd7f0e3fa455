package telemetry_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mudpulse/mudpulse/telemetry"
	telemetrypb "github.com/mudpulse/mudpulse/telemetry/proto"
)

var update = flag.Bool("update", false, "rewrite testdata")

func sampleFrame() *telemetry.Frame {
	return &telemetry.Frame{
		Drill: "RIG-07", Device: "edr-1", Boot: "b1", Seq: 17, Part: 2, TS: 1795342400_000_000_000,
		Origin: telemetry.Backfill, Simulated: true, Flags: telemetry.FlagPartial | telemetry.FlagPast,
		Gateway: "gw-1", Received: 1795342400_120_000_000, Hash: 0xdeadbeefcafe, Topic: "site/a",
		Runs: []telemetry.Run{
			{Channel: "WOB", Every: 100_000_000, Values: []float64{101.2, 100.8, math.NaN(), 0}, Quality: []byte{0, 2, 1, 3}},
			{Channel: "MTO", Offset: -5_000_000, Values: []float64{52.3}},
			{Channel: "EMPTY"},
		},
	}
}

func sampleScore() *telemetry.Score {
	return &telemetry.Score{
		Drill: "RIG-07", Tick: 1795342400_000_000_000, Causes: []telemetry.FrameID{{Device: "edr-1", Boot: "b1", Seq: 17}, {Device: "mwd", Boot: "x", Seq: 1 << 60, Part: 1}},
		CauseHash: 99, Origin: telemetry.Backfill, Simulated: true, State: "rotary", StateSince: 1795342000_000_000_000,
		Health: 31, Confidence: 0.97, Subsystems: []telemetry.SubsystemHealth{{Name: "hydraulics", Health: 31, Confidence: 1}},
		Reasons: []telemetry.Reason{{Subsystem: "hydraulics", Model: "washout@4", Code: "SPP_LOW", Points: 31, Feature: "SPP__mean__60s", Value: 21, Normal: 22.4}},
		Results: []telemetry.Result{
			{Model: "washout@4", Outputs: []telemetry.Output{{Name: "probability", Number: 0.93}, {Name: "class", Number: math.NaN(), Text: "washout"}}},
			{Model: "bearing@1", Shadow: true, Error: strings.Repeat("long ", 5000)},
		},
		Produced: 5, TimeLeft: 3, TimeLeftLow: 2, TimeLeftHigh: 5,
	}
}

// golden compares got with testdata/wire/v1/name, written as hex.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "wire", "v1", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(hex.EncodeToString(got)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != hex.EncodeToString(got) {
		t.Errorf("%s: the bytes on the wire changed:\n got %x\nwant %s", name, got, want)
	}
}

func TestTheBytesOfAFrameAreThoseOfVersion1(t *testing.T) {
	f := sampleFrame()
	b := telemetry.AppendFrame(nil, f)
	golden(t, "frame.hex", b)
	var d telemetry.Decoder
	var got telemetry.Frame
	if err := d.Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	if again := telemetry.AppendFrame(nil, got.Clone()); !bytes.Equal(again, b) {
		t.Errorf("decoded and encoded again, bytes differ:\n%x\n%x", again, b)
	}
	if got.ID() != f.ID() || got.Flags != f.Flags || got.Origin != f.Origin || len(got.Runs) != 3 || got.Runs[0].Quality[1] != telemetry.OutOfRange {
		t.Errorf("decoded %+v", got)
	}
}

func TestTheBytesOfAScoreAreThoseOfVersion1(t *testing.T) {
	s := sampleScore()
	b := telemetry.AppendScore(nil, s)
	small := *s
	small.Results = s.Results[:1]
	golden(t, "score.hex", telemetry.AppendScore(nil, &small))
	var got telemetry.Score
	if err := telemetry.DecodeScore(b, &got); err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(got.Results[0].Outputs[1].Number) {
		t.Error("NaN was not kept")
	}
	got.Results[0].Outputs[1].Number, s.Results[0].Outputs[1].Number = 0, 0
	if !reflect.DeepEqual(&got, s) {
		t.Errorf("decoded %+v", got)
	}
}

// The generated code of proto/telemetry.proto is what strangers use.
func TestAStrangersProtobufReadsAndWritesOurBytes(t *testing.T) {
	f := sampleFrame()
	var pb telemetrypb.Frame
	if err := proto.Unmarshal(telemetry.AppendFrame(nil, f), &pb); err != nil {
		t.Fatal(err)
	}
	if pb.Drill != f.Drill || pb.Seq != f.Seq || pb.Ts != f.TS || len(pb.Runs) != 3 || pb.Runs[0].Values[1] != 100.8 || pb.Runs[1].Offset != -5_000_000 || !pb.Numbered {
		t.Errorf("stranger reads %v", &pb)
	}
	b, err := proto.Marshal(&pb)
	if err != nil {
		t.Fatal(err)
	}
	var d telemetry.Decoder
	var got telemetry.Frame
	if err := d.Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(telemetry.AppendFrame(nil, &got), telemetry.AppendFrame(nil, f)) {
		t.Errorf("read back %+v", got)
	}
	var ps telemetrypb.Score
	sc := sampleScore()
	sc.Runs = []string{"bha:BHA-7", "bit:SN-1234"}
	if err := proto.Unmarshal(telemetry.AppendScore(nil, sc), &ps); err != nil {
		t.Fatal(err)
	}
	var back telemetry.Score
	if err := telemetry.DecodeScore(telemetry.AppendScore(nil, sc), &back); err != nil || !reflect.DeepEqual(back.Runs, sc.Runs) || !reflect.DeepEqual(ps.Runs, sc.Runs) {
		t.Errorf("runs %q, a stranger reads %q, %v", back.Runs, ps.Runs, err)
	}
	if ps.Results[1].Error != sampleScore().Results[1].Error || ps.Reasons[0].Normal != 22.4 || ps.Causes[1].Part != 1 {
		t.Errorf("stranger reads %v", &ps)
	}
}

func TestDecodingAFrameAllocatesNothing(t *testing.T) {
	b := telemetry.AppendFrame(nil, sampleFrame())
	var d telemetry.Decoder
	var f telemetry.Frame
	if n := testing.AllocsPerRun(100, func() {
		if err := d.Decode(b, &f); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestContentHashKnowsValuesNotEncodings(t *testing.T) {
	a, b := sampleFrame(), sampleFrame()
	b.Runs[0], b.Runs[1] = b.Runs[1], b.Runs[0]
	b.Gateway, b.Received, b.Seq = "gw-2", 1, 1
	b.Runs[1].Values[2] = math.Float64frombits(0x7ff800000000beef)
	if telemetry.ContentHash(a) != telemetry.ContentHash(b) {
		t.Error("order of runs, gateway or kind of NaN changed the hash")
	}
	b.Runs[1].Values[3] = 1e-300
	if telemetry.ContentHash(a) == telemetry.ContentHash(b) {
		t.Error("another value has the same hash")
	}
	if got := telemetry.ContentHash(sampleFrame()); got != 0x83da27bfb3d502b && !*update {
		t.Errorf("the hash changed: %#x; stored identities would become conflicts", got)
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(telemetry.AppendFrame(nil, sampleFrame()))
	f.Add([]byte{0x3a, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d telemetry.Decoder
		var fr, again telemetry.Frame
		if d.Decode(b, &fr) != nil {
			return
		}
		out := telemetry.AppendFrame(nil, &fr)
		var e telemetry.Decoder
		if err := e.Decode(out, &again); err != nil {
			t.Fatalf("own bytes refused: %v", err)
		}
		if !bytes.Equal(out, telemetry.AppendFrame(nil, &again)) {
			t.Fatal("a second round trip differs")
		}
		if proto.Unmarshal(out, &telemetrypb.Frame{}) != nil && validUTF8(&fr) {
			t.Fatal("a stranger cannot read our bytes")
		}
	})
}

func validUTF8(f *telemetry.Frame) bool {
	ok := true
	for _, s := range []string{f.Drill, f.Device, f.Boot, f.Gateway, f.Topic} {
		ok = ok && s == strings.ToValidUTF8(s, "?")
	}
	for _, r := range f.Runs {
		ok = ok && r.Channel == strings.ToValidUTF8(r.Channel, "?")
	}
	return ok
}

func FuzzDecodeScore(f *testing.F) {
	f.Add(telemetry.AppendScore(nil, sampleScore()))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again telemetry.Score
		if telemetry.DecodeScore(b, &s) != nil {
			return
		}
		if err := telemetry.DecodeScore(telemetry.AppendScore(nil, &s), &again); err != nil {
			t.Fatalf("own bytes refused: %v", err)
		}
	})
}

func BenchmarkDecodeFrame100(b *testing.B) {
	f := &telemetry.Frame{Drill: "RIG-07", Device: "edr", Boot: "b", Seq: 1, TS: 1}
	for _, c := range telemetry.DefaultCatalogue().All()[:24] {
		n := map[telemetry.Class]int{telemetry.Fast: 10, telemetry.Medium: 2, telemetry.Slow: 1}[c.Class]
		f.Runs = append(f.Runs, telemetry.Run{Channel: c.Tag, Every: 100_000_000, Values: make([]float64, n)})
	}
	raw := telemetry.AppendFrame(nil, f)
	var d telemetry.Decoder
	var got telemetry.Frame
	b.ReportAllocs()
	b.ReportMetric(float64(len(raw)), "B/frame")
	for b.Loop() {
		if err := d.Decode(raw, &got); err != nil {
			b.Fatal(err)
		}
	}
}
