package imports

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"github.com/mudpulse/mudpulse/telemetry"
)

// all imports a file and returns its frames as text, and what was bad.
func all(t *testing.T, path string, m Mapping) (frames, bad []string, im *Import) {
	t.Helper()
	im, err := Open(path, m, telemetry.DefaultCatalogue(), func(b Bad) { bad = append(bad, b.String()) })
	if err != nil {
		t.Fatal(err)
	}
	err = im.Frames(context.Background(), func(f *telemetry.Frame, _ float64) error {
		s := fmt.Sprintf("%s %d %d", f.Drill, f.Seq, f.TS/1e9)
		for _, r := range f.Runs {
			s += fmt.Sprintf(" %s=%v", r.Channel, math.Round(r.Values[0]*1e4)/1e4)
		}
		frames = append(frames, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return frames, bad, im
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestRowsBecomeFramesAndBadRowsAreListedByLine(t *testing.T) {
	m := Mapping{Drill: "RIG-01", Channels: map[string]Column{"pressure": {Tag: "SPP", Unit: "psi"}, "mood": {Tag: "Mood", Values: map[string]float64{"good": 1}}}}
	f := func(name, text string, m Mapping, frames, bad []string) {
		t.Helper()
		gotFrames, gotBad, _ := all(t, write(t, name, text), m)
		want(t, name, gotFrames, frames...)
		want(t, name+", bad", gotBad, bad...)
	}
	f("a.csv", "time,WOB,pressure,mood,other\n2026-01-01T00:00:00Z,10,145.0377,good,x\n2026-01-01T00:00:01Z,oops,1,good,x\nyesterday,1,1,good,x\n2026-01-01T00:00:03Z,-999.25,290.0754,,x\n1,2\n2026-01-01T00:00:04Z,,,,x\n2026-01-01T00:00:05Z,1,1,sad,\n", m,
		[]string{"RIG-01 0 1767225600 WOB=10 Mood=1 SPP=1", "RIG-01 1 1767225603 SPP=2"},
		[]string{`line 3, column WOB: "oops" is no number`, `line 4, column time: "yesterday" is no time as 2026-01-31T12:00:00Z; time_unit says how else it may be written`, "line 6: it has 2 fields, and there are 5 columns",
			"line 7: none of its columns has a value for a channel", `line 8, column mood: "sad" is none of the values that the mapping lists`})
	f("a.jsonl", `{"time":"2026-01-01T00:00:00Z","WOB":10.5,"deep":{"a":1}}`+"\n\n{\n"+`{"time":"2026-01-01T00:00:02Z","WOB":null,"RPM":"3"}`+"\n", m,
		[]string{"RIG-01 0 1767225600 WOB=10.5", "RIG-01 1 1767225602 RPM=3"}, []string{"line 3: it is no JSON object: unexpected EOF"})
	f("a.txt", "unit t x\n1 1 5\n1 2 6\n2 1 7 8\n", Mapping{Delimiter: "space", DrillColumn: "unit", DrillPrefix: "U-", Time: "t", TimeUnit: "step", Start: "2026-01-01T00:00:00Z", Step: "1h", All: true},
		[]string{"U-1 0 1767229200 x=5", "U-1 1 1767232800 x=6"}, []string{"line 4: it has 4 fields, and there are 3 columns"})
	f("b.csv", "time;WOB\n1767225600.5;1\n", Mapping{Drill: "R", Delimiter: ";", TimeUnit: "s"}, []string{"R 0 1767225600 WOB=1"}, nil)
}

func TestAvroIsReadWithItsUnions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.avro")
	fd, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ocf.NewEncoder(`{"type":"record","name":"r","fields":[{"name":"time","type":"long"},{"name":"WOB","type":["null","double"]}]}`, fd)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []any{1.5, nil, 2.5} {
		if err := e.Encode(map[string]any{"time": int64(1767225600 + i), "WOB": v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fd.Close(); err != nil {
		t.Fatal(err)
	}
	frames, bad, _ := all(t, path, Mapping{Drill: "R", TimeUnit: "s"})
	want(t, "frames", frames, "R 0 1767225600 WOB=1.5", "R 1 1767225602 WOB=2.5")
	want(t, "bad", bad, "line 2: none of its columns has a value for a channel")
}

func TestParquetIsReadWithItsTypesAndItsMissingValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`COPY (SELECT * FROM (VALUES (TIMESTAMP '2026-01-01 00:00:00.25', 1.5::FLOAT, 3::INTEGER, 'a'), (TIMESTAMP '2026-01-01 00:00:01', NULL, NULL, 'b'),
		(NULL, 2.0, 1, 'c'), (TIMESTAMP '2026-01-01 00:00:03', -999.25, 7, 'd')) v(time, WOB, RPM, note)) TO '` + path + `' (FORMAT parquet)`); err != nil {
		t.Fatal(err)
	}
	frames, bad, im := all(t, path, Mapping{Drill: "R"})
	want(t, "frames", frames, "R 0 1767225600 RPM=3 WOB=1.5", "R 1 1767225603 RPM=7")
	want(t, "unmapped", im.Unmapped, "note")
	if len(bad) != 2 || !strings.HasPrefix(bad[0], "line 2: none of its columns") || !strings.HasPrefix(bad[1], "line 3, column time") {
		t.Errorf("bad: %q", bad)
	}
}

func TestTheSampleWITSMLLogIsReadInTheCataloguesUnits(t *testing.T) {
	frames, bad, im := all(t, filepath.Join("..", "..", "deploy", "import", "sample.witsml.xml"), Mapping{})
	if len(frames) != 118 || im.Rows != 120 || len(im.Unmapped) != 0 {
		t.Errorf("%d frames of %d rows, unmapped %v", len(frames), im.Rows, im.Unmapped)
	}
	want(t, "first", frames[:1], "SAMPLE-1 0 1772344800 DBTM=2950 RPM=120 SPP=22.0632 WOB=82.2921")
	want(t, "with -999.25", frames[30:31], "SAMPLE-1 30 1772344830 DBTM=2950.06 RPM=120 WOB=82.2921")
	want(t, "bad", bad, `line 58, column SPPA: "oops" is no number`, "line 94: it has 3 values, and mnemonicList names 5")
}

func TestTheSameFileGivesTheSameFramesAndAnotherMappingOthers(t *testing.T) {
	path := write(t, "a.csv", "time,WOB\n2026-01-01T00:00:00Z,1\n")
	_, _, a := all(t, path, Mapping{Drill: "R"})
	_, _, b := all(t, path, Mapping{Drill: "R"})
	_, _, c := all(t, path, Mapping{Drill: "S"})
	if a.Boot() != b.Boot() || a.Boot() == c.Boot() || telemetry.ValidID(a.Boot()) != nil {
		t.Errorf("%s %s %s", a.Boot(), b.Boot(), c.Boot())
	}
}

func TestWrongMappingsAreRefusedByKey(t *testing.T) {
	f := func(want string, m Mapping, name string) {
		t.Helper()
		_, err := Open(write(t, name, "x"), m, telemetry.DefaultCatalogue(), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s…", err, want)
		}
	}
	f("format:", Mapping{Drill: "R"}, "a.bin")
	f("drill:", Mapping{}, "a.csv")
	f("drill:", Mapping{Drill: "a b"}, "a.csv")
	f("time_unit:", Mapping{Drill: "R", TimeUnit: "days"}, "a.csv")
	f("start:", Mapping{Drill: "R", TimeUnit: "step"}, "a.csv")
	f("step:", Mapping{Drill: "R", TimeUnit: "step", Start: "2026-01-01T00:00:00Z"}, "a.csv")
	f("channels:", Mapping{Drill: "R", Channels: map[string]Column{"a": {Tag: "1a"}}}, "a.csv")
	if _, err := ReadMapping(strings.NewReader(`{"drill":"R","tme":"x"}`)); err == nil || !strings.Contains(err.Error(), "tme") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestAFileOfOtherColumnsIsRefusedOnceWithThoseItHas(t *testing.T) {
	f := func(name, text string, m Mapping, want ...string) {
		t.Helper()
		im, err := Open(write(t, name, text), m, telemetry.DefaultCatalogue(), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = im.Frames(context.Background(), func(*telemetry.Frame, float64) error { t.Error("a frame"); return nil })
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) || im.BadRows != 0 {
				t.Errorf("%s: %v, %d bad rows; want %q", name, err, im.BadRows, w)
			}
		}
	}
	f("a.csv", "Timestamp,SPP\n2026-01-01T00:00:00Z,20\n", Mapping{Drill: "R1"}, `no column is called "time"`, "there are: Timestamp, SPP", `{"time": "…"}`)
	f("a.csv", "time,SPP\n2026-01-01T00:00:00Z,20\n", Mapping{DrillColumn: "rig"}, `no column is called "rig", which should give the drill`, `{"drill_column": "…"}`)
	f("a.csv", "time;SPP\n2026-01-01T00:00:00Z;20\n", Mapping{Drill: "R1"}, `there are: time;SPP; say what stands between the columns`)
	f("a.csv", "time,SPP,SPP\n2026-01-01T00:00:00Z,20,21\n", Mapping{Drill: "R1"}, `column "SPP" stands twice`)
	f("a.csv", "2026-01-01T00:00:00Z,20\n", Mapping{Drill: "R1", Columns: []string{"at", "SPP"}}, `no column is called "time"`)
	f("a.parquet", "PAR0 is not it", Mapping{Drill: "R1"}, "is no Parquet file that can be read")
}
