package payload_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/telemetry"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var options = payload.Options{Now: noon, Channel: "WOB", WITS: func(item string) (string, bool) {
	for _, c := range telemetry.DefaultCatalogue().All() {
		if c.WITS == item {
			return c.Tag, true
		}
	}
	return "", false
}}

// golden compares with the file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\n got %s\nwant %s", path, got, want)
	}
}

func TestEachKindIsReadAsItsGoldenFileSays(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.in*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var d payload.Decoder
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kind := payload.Kind(filepath.Base(filepath.Dir(path)))
		items, e := d.Decode(kind, b, options)
		got := strings.ReplaceAll(render(items, e), " | ", "\n") + "\n"
		for _, it := range items {
			for _, name := range slices.Sorted(maps.Keys(it.Units)) {
				got += fmt.Sprintf("unit of %s: %s\n", name, it.Units[name])
			}
		}
		golden(t, strings.Replace(path, ".in", ".want", 1), got)
	}
}

func TestWhatUnpacksToTooMuchIsRefused(t *testing.T) {
	for _, path := range []string{"testdata/thingsboard/timed.in.gz", "testdata/thingsboard/timed.in.zst"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, e := payload.Unpack(b[:len(b)-3]); e == nil {
			t.Errorf("%s: cut off, and taken", path)
		}
		if out, e := payload.Unpack(b); e != nil || out[0] != '{' {
			t.Errorf("%s: %v", path, e)
		}
	}
}

func TestUnitsBecomeTheChannels(t *testing.T) {
	cat := telemetry.DefaultCatalogue()
	f := func(v float64, unit, tag string, want float64) {
		t.Helper()
		a, b, ok := payload.ConvertUnit(unit, cat.Get(tag))
		if got := v*a + b; !ok || math.Abs(got-want) > 1e-6*math.Max(1, math.Abs(want)) {
			t.Errorf("%v %s of %s is %v, want %v", v, unit, tag, got, want)
		}
	}
	f(281.4, "klbf", "HKLD", 1251.7291625)
	f(3046, "psi", "SPP", 21.0014308)
	f(555, "gpm", "FLIN", 2100.9035382)
	f(156, "°F", "TDBT", 68.8888889)
	f(300, "K", "MTO", 26.85)
	f(48.2, "ft", "BPOS", 14.69136)
	f(391, "bbl", "PVT", 62.1640198)
	f(13.1, "kft·lbf", "TQ", 17.7612151)
	f(10, "ppg", "MDI", 1198.2642731)
	f(1.2, "sg", "MDI", 1200)
	f(23.1, "Cel", "MTO", 23.1)
	f(60, "ft/h", "ROP", 18.288)
	f(101.3, "kN", "WOB", 101.3)
	if _, _, ok := payload.ConvertUnit("psi", cat.Get("WOB")); ok {
		t.Error("a pressure became a force")
	}
	// Every unit of the catalogue is known, and agrees with its oilfield factor.
	for _, ch := range cat.All() {
		a, b, ok := payload.ConvertUnit(ch.Field, &ch)
		if !ok {
			t.Errorf("%s: %s cannot become %s", ch.Tag, ch.Field, ch.Unit)
			continue
		}
		if x := (a*100+b)*ch.Factor + ch.Shift; math.Abs(x-100) > 1e-3 {
			t.Errorf("%s: 100 %s comes back as %v", ch.Tag, ch.Field, x)
		}
	}
}

func fuzzKind(f *testing.F, kind payload.Kind) {
	files, err := filepath.Glob("testdata/" + string(kind) + "/*.in*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d payload.Decoder
		items, e := d.Decode(kind, b, options)
		if e != nil {
			if e.Message == "" || e.Cure == "" {
				t.Fatalf("an error without message or cure: %+v", e)
			}
			return
		}
		for _, it := range items {
			check(t, &it)
		}
	})
}

func FuzzThingsBoard(f *testing.F) { fuzzKind(f, payload.ThingsBoard) }
func FuzzAWS(f *testing.F)         { fuzzKind(f, payload.AWS) }
func FuzzSenML(f *testing.F)       { fuzzKind(f, payload.SenML) }
func FuzzCSV(f *testing.F)         { fuzzKind(f, payload.CSV) }
func FuzzWITS(f *testing.F)        { fuzzKind(f, payload.WITS) }
func FuzzInflux(f *testing.F)      { fuzzKind(f, payload.Influx) }
func FuzzValue(f *testing.F)       { fuzzKind(f, payload.Value) }

func FuzzSparkplug(f *testing.F) {
	f.Add(payload.RebirthCommand(1795341600000))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, e := payload.ReadSparkplug(b)
		if e == nil && m.Timestamp < 0 || e != nil && (e.Message == "" || e.Cure == "") {
			t.Fatalf("%+v %+v", m, e)
		}
	})
}
