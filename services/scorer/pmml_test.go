package scorer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// drawer holds blobs by their real SHA-256.
type drawer map[string][]byte

func (d drawer) Fetch(_ context.Context, sha string) ([]byte, error) {
	if b, ok := d[sha]; ok {
		return b, nil
	}
	return nil, errors.New("no such blob")
}

func (d drawer) put(b []byte) string {
	sum := sha256.Sum256(b)
	d[hex.EncodeToString(sum[:])] = b
	return hex.EncodeToString(sum[:])
}

func TestAPMMLModelScoresTheStreamAndExplainsItsAlarm(t *testing.T) {
	text, err := os.ReadFile("testdata/weight.pmml")
	if err != nil {
		t.Fatal(err)
	}
	d := drawer{}
	sha := d.put(text)
	rules := d.put([]byte(`{"version":2,"rules":[{"id":"bit-health","kind":"model","title":"Bit","subsystem":"bit","priority":2,"signal":"weight.health_bit","op":"<","limit":90,"normal":"HKLD",
		"reason":"Bit health {value|0.0} of 100[ at {RPM|0} rpm].","advice":"Look."}]}`))
	out := newTape()
	p, err := NewPartition(testConfig(), NewPMML(d), d, telemetry.DefaultCatalogue(), nil, out)
	if err != nil {
		t.Fatal(err)
	}
	mark(t, p, activate("weight", 3, sha))
	mark(t, p, &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: rules, Action: "activate"})
	for i := range uint64(7) {
		feed(t, p, frame("R1", i, 100, 120))
	}
	p.Flush()
	scores := out.all(t, "R1")
	want := 10 + 0.5*(120+9*0.01) + 0.001*(1400+9*0.01)
	for i, s := range scores {
		if len(s.Results) != 1 || s.Results[0].Model != "weight@3" || len(s.Results[0].Outputs) != 2 {
			t.Fatalf("tick %d: %+v", i, s.Results)
		}
		at := int64(0)
		if i%5 != 0 {
			at = start + int64(i/5*5)*second // start is a multiple of five seconds
		}
		if s.Results[0].At != at {
			t.Errorf("tick %d: result of %d, want %d", i, s.Results[0].At, at)
		}
		if math.Abs(s.Health-want) > 1e-9 || len(s.Subsystems) == 0 || s.Confidence != 1 {
			t.Errorf("tick %d: health %v, want %v; confidence %v", i, s.Health, want, s.Confidence)
		}
	}
	events := out.alarms["R1"]
	if len(events) != 1 {
		t.Fatalf("%d alarm events", len(events))
	}
	e := events[0]
	sum := e.Evidence.Baseline
	for _, c := range e.Evidence.Contributions {
		sum += c.Value
	}
	if e.Model != "weight@3" || e.ModelSHA256 != sha || e.Reason != "Bit health 71.4 of 100 at 120 rpm." || math.Abs(sum-e.Value) > 1e-9 || len(e.Evidence.Contributions) != 2 {
		t.Errorf("%+v %+v", e, e.Evidence)
	}
	if err := alarms.Verify(events); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoPMMLIsRefused(t *testing.T) {
	d := drawer{}
	p, err := NewPartition(testConfig(), NewPMML(d), d, telemetry.DefaultCatalogue(), nil, newTape())
	if err != nil {
		t.Fatal(err)
	}
	mark(t, p, activate("m", 1, d.put([]byte("<html/>"))))
	if len(p.refused) == 0 {
		t.Error("it was taken")
	}
	if err := p.Marker(t.Context(), activate("m", 2, "absent"), false); !errors.Is(err, ErrFetch) {
		t.Errorf("a blob that is not there: %v, want to be asked again", err)
	}
}

func TestTheCadenceStandsInTheModel(t *testing.T) {
	text, err := os.ReadFile("testdata/weight.pmml")
	if err != nil {
		t.Fatal(err)
	}
	f := func(value, wantErr string) {
		t.Helper()
		_, err := ParsePMML([]byte(strings.Replace(string(text), `value="5s"`, `value="`+value+`"`, 1)))
		if wantErr == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%q: %v, want %q", value, err, wantErr)
		}
	}
	f("60s", "")
	f("1.5s", "whole seconds")
	f("often", "whole seconds")
	f("-1m", "whole seconds")
}
