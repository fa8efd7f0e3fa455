package scorer

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// bearings is a model that reads snapshots.
func bearings() *fake {
	return &fake{in: []Field{{Name: "TDACC__order__o_1__10m"}, {Name: "TDACC__order__o_top_drive_bearing_bpfo__10m"}, {Name: "TDACC__rms__5m__in_rotary"}, {Name: "WOB"}},
		out: []string{"shaft", "outer", "rms"}, f: func(in []float64, _ []string) ([]float64, error) { return in[:3], nil }}
}

// accelerating is a snapshot of a shaft at 20 turns a second, g of it, and of its third order, that began half a second into a second.
func accelerating(seq uint64, g float64) *telemetry.Frame {
	f := &telemetry.Frame{Drill: "RIG-1", Device: "vib-1", Boot: "v", Seq: seq, TS: start + int64(seq)*second + second/2, Runs: []telemetry.Run{
		{Channel: "TDACC", Every: 250_000, Values: make([]float64, 4000)}, {Channel: "TDSPD", Values: []float64{1200}}}}
	for i := range f.Runs[0].Values {
		at := float64(i) / 4000 * 20 * 2 * math.Pi
		f.Runs[0].Values[i] = g*math.Sin(at) + 0.5*math.Sin(3*at)
	}
	f.Hash = telemetry.ContentHash(f)
	return f
}

func TestASnapshotIsReadFromItsSecondOn(t *testing.T) {
	shelf := &shelf{models: map[string]*fake{"m": bearings()}}
	live, cut, plain := newTape(), newTape(), newTape()
	p, q, without := newPartition(t, testConfig(), shelf, live), newPartition(t, testConfig(), shelf, cut), newPartition(t, testConfig(), shelf, plain)
	bearing := runMarker("1", "top_drive/bearing", "top_drive/bearing:6322", 1)
	bearing.Run.Numbers = map[string]float64{"bpfo": 3}
	for seq := uint64(1); seq <= 400; seq++ {
		for _, x := range []*Partition{p, q, without} {
			if seq == 1 {
				mark(t, x, activate("bearings", 1, "m"))
				mark(t, x, bearing)
			}
			feed(t, x, frame("RIG-1", seq, 100, 120))
		}
		if seq == 203 { // of the second 200: it takes a second, and its device some more
			for _, x := range []*Partition{p, q} {
				x.Flush()
				feed(t, x, accelerating(200, 2))
				feed(t, x, accelerating(200, 2))
			}
		}
		if seq%90 == 0 {
			q.Flush()
			b, err := q.Snapshot(nil)
			if err != nil {
				t.Fatal(err)
			}
			q = newPartition(t, testConfig(), shelf, cut)
			if err := q.Restore(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, x := range []*Partition{p, q, without} {
		x.Flush()
	}
	for tick, b := range live.last["RIG-1"] {
		if cut.last["RIG-1"][tick] != b {
			t.Errorf("second %d differs after a restart", (tick-start)/second)
		}
	}
	last := func(tape *tape, seq int64) telemetry.Score {
		t.Helper()
		var s telemetry.Score
		if err := telemetry.DecodeScore([]byte(tape.last["RIG-1"][start+seq*second]), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	f := func(seq int64, want bool) {
		t.Helper()
		s := last(live, seq)
		for name, v := range map[string]float64{"shaft": 2, "outer": 0.5, "rms": math.Sqrt((4 + 0.25) / 2)} {
			got, ok := s.Output("bearings", name)
			switch {
			case want && !(math.Abs(got-v) < 0.16*v) /* between two lines a Hann window loses up to 15 % */ :
				t.Errorf("second %d: %s is %v, want about %v", seq, name, got, v)
			case !want && ok && got == got:
				t.Errorf("second %d: %s is %v, want missing", seq, name, got)
			}
		}
		bare := last(plain, seq)
		if s.Confidence != bare.Confidence {
			t.Errorf("second %d: a snapshot changed the confidence: %v, without it %v", seq, s.Confidence, bare.Confidence)
		}
	}
	f(199, false)
	f(200, true)
	f(204, true)
	f(400, true)
	if s := last(live, 200); len(s.Causes) != 2 || s.Causes[1].Device != "vib-1" {
		t.Errorf("causes of the second it began in: %v", s.Causes)
	}
}

// However the records are batched and wherever it is restarted, an alarm names the
// snapshot that its features are computed of, and none that came after.
func TestAnAlarmNamesTheSnapshotBehindIt(t *testing.T) {
	rules := `{"version":1,"rules":[{"id":"shakes","kind":"limit","title":"It shakes","subsystem":"topdrive","priority":2,"signal":"TDACC__rms__5m","op":">","limit":1,"reason":"rms is {value|0.00}","advice":"look at it","inputs":["WOB","TDACC__kurtosis__5m"]}]}`
	s := &shelf{blobs: map[string][]byte{"rules": []byte(rules)}}
	quiet, loud := accelerating(20, 0.1), accelerating(60, 3)
	f := func(every, restart uint64) []telemetry.AlarmEvent {
		t.Helper()
		out := newTape()
		p := newPartition(t, testConfig(), s, out)
		mark(t, p, &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"})
		for seq := uint64(1); seq <= 100; seq++ {
			feed(t, p, frame("RIG-1", seq, 100, 120))
			for _, wave := range []*telemetry.Frame{quiet, loud, accelerating(64, 4)} {
				if wave.Seq == seq {
					feed(t, p, wave)
				}
			}
			if seq%every == 0 {
				p.Flush()
			}
			if seq%restart == 0 {
				b, err := p.Snapshot(nil)
				if err != nil {
					t.Fatal(err)
				}
				p = newPartition(t, testConfig(), s, out)
				if err := p.Restore(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.Flush()
		return out.alarms["RIG-1"]
	}
	got := f(1, 1000)
	if len(got) != 1 || got[0].Event != telemetry.AlarmRaised {
		t.Fatalf("%+v", got)
	}
	want := []telemetry.Snapshot{{Channel: "TDACC", TS: loud.TS, Frame: loud.ID(), Hash: strconv.FormatUint(loud.Hash, 16)}}
	if !slices.Equal(got[0].Evidence.Snapshots, want) {
		t.Errorf("%+v, want %+v", got[0].Evidence.Snapshots, want)
	}
	if err := alarms.Verify(got); err != nil {
		t.Error(err)
	}
	for _, x := range [][2]uint64{{1000, 1000}, {7, 1000}, {1000, 61}, {3, 10}} {
		if again := f(x[0], x[1]); !reflect.DeepEqual(again, got) {
			t.Errorf("flushed every %d, restarted every %d: %+v, want %+v", x[0], x[1], again, got)
		}
	}
	got[0].Evidence.Snapshots[0].TS++
	if alarms.Verify(got) == nil {
		t.Error("another snapshot under the same hash verifies")
	}
}
