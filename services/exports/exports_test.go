package exports

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
	"github.com/mudpulse/mudpulse/telemetry/dedup"
)

var t0 = time.Date(2026, 11, 22, 9, 40, 0, 0, time.UTC).UnixNano()

const sec = int64(time.Second)

// inputs are read raw, over seconds, minutes and hours, gated, judged and by every kind of function.
var inputs = []string{
	"WOB", "SPP", "MDI", "OWN_ONE", "WOB__mean__60s", "SPP__std__5m__in_rotary", "VIBAX__kurtosis__10s", "RPM__slope__1h", "RPM__slope__10s", "TQ__ewma__3m", "TQ__ewma__30s__in_rotary",
	"HKLD__lag__30s", "FLIN__delta__20m", "FLIN__rate__45s", "SPP__q__p_95__2m", "WOB__median__90s", "RPM__distinct__30s", "TQ__count__2m", "WOB__rms__10s", "WOB__mean__60s__z", "MDI__last__30m__in_rotary",
	"TDACC__kurtosis__40m", "TDACC__band__f_10_1000__40m", "TDACC__centroid__30m__in_rotary", "TDACC__order__o_10__40m", "TDACC__env__o_top_drive_bearing_bpfo__f_600_1200__40m", "TDACC__centroid__1h__z",
	"hours__since__event_bit_change", "part.top_drive_ratio",
}

// stream is frames in the order of the log, as gateways would send them: seconds
// missing, frames twice, out of order, minutes late, from a second device, without
// numbers, over several seconds, and history behind the present.
func stream(drills []string, seconds int, seed uint64) []*telemetry.Frame {
	rng := rand.New(rand.NewPCG(seed, 7))
	type sent struct {
		at float64
		f  *telemetry.Frame
	}
	var all []sent
	for d, drill := range drills {
		seq, aux := uint64(0), uint64(0)
		for i := 0; i < seconds; i++ {
			if i%700 > 640 { // silence
				continue
			}
			at := t0 + int64(i)*sec
			f := &telemetry.Frame{Drill: drill, Device: "edr", Boot: "b1", Seq: seq, TS: at + int64(rng.IntN(3))*137_123_000, Gateway: "gw", Received: at, Hash: rng.Uint64()}
			seq++
			drilling := (i/300+d)%3 != 2
			level := map[string]float64{"WOB": 120, "RPM": 130, "TQ": 14, "SPP": 21, "FLIN": 2200, "HKLD": 900, "BPOS": 12, "DBTM": 2000 + float64(i)/600, "DMEA": 2000 + float64(i)/600, "ROP": 12, "VIBAX": 0.3}
			if !drilling {
				level["WOB"], level["RPM"], level["FLIN"], level["HKLD"] = 0, 0, 0, 180
			}
			for _, tag := range []string{"WOB", "RPM", "TQ", "SPP", "FLIN", "HKLD", "BPOS", "DBTM", "DMEA", "ROP", "VIBAX"} {
				n := 1
				if c := telemetry.DefaultCatalogue().Get(tag); c.Class == telemetry.Fast {
					n = 10
				} else if c.Class == telemetry.Medium {
					n = 2
				}
				r := telemetry.Run{Channel: tag, Every: sec / int64(n+rng.IntN(2)), Values: make([]float64, n)}
				for k := range r.Values {
					r.Values[k] = level[tag] * (1 + 0.05*rng.NormFloat64())
					if rng.IntN(50) == 0 {
						r.Values[k] = math.NaN()
					}
				}
				if rng.IntN(40) == 0 {
					r.Quality = make([]telemetry.Quality, n)
					r.Quality[rng.IntN(n)] = telemetry.Quality(1 + rng.IntN(3))
				}
				f.Runs = append(f.Runs, r)
			}
			if i%30 == 0 {
				f.Runs = append(f.Runs, telemetry.Run{Channel: "MDI", Values: []float64{rng.Float64()}}, telemetry.Run{Channel: "OWN_ONE", Values: []float64{float64(i)}})
			}
			delay := 0.3 * rng.Float64()
			switch k := rng.IntN(100); {
			case k < 4:
				delay = 90 * rng.Float64() // disorder
			case k < 6:
				delay = 130 + 400*rng.Float64() // too late for its tick
			case k == 6:
				delay, f.Origin = 900, telemetry.Backfill
			case k == 7: // several seconds in one
				for r := range f.Runs {
					f.Runs[r].Every *= 4
				}
			case k == 8:
				f.Boot, f.Seq = fmt.Sprintf("~%016x", rng.Uint64()), rng.Uint64()
			case k == 9:
				f.Seq += 0 // sent twice, below
				all = append(all, sent{float64(i) + 200*rng.Float64(), f})
			}
			all = append(all, sent{float64(i) + delay, f})
			if i%40 == 7 { // a snapshot of the bearing, some of them much later
				f := &telemetry.Frame{Drill: drill, Device: "vib", Boot: "x", Seq: uint64(i), TS: at + rng.Int64N(sec), Hash: rng.Uint64(), Runs: []telemetry.Run{
					{Channel: "TDACC", Every: 312_500, Values: make([]float64, 500+rng.IntN(1500))}, {Channel: "TDSPD", Values: []float64{1100 + 200*rng.Float64()}}}}
				for k := range f.Runs[0].Values {
					f.Runs[0].Values[k] = math.Round(1000*(math.Sin(float64(k)/2)+rng.NormFloat64())) / 1000
				}
				if rng.IntN(9) == 0 {
					f.Runs[0].Values[3] = math.NaN()
				}
				all = append(all, sent{float64(i) + 150*rng.Float64(), f})
			}
			if i%17 == 0 { // a second device of the same drill
				aux++
				all = append(all, sent{float64(i) + 3*rng.Float64(), &telemetry.Frame{Drill: drill, Device: "aux", Boot: "x", Seq: aux, TS: at + 100_000_000, Hash: rng.Uint64(),
					Runs: []telemetry.Run{{Channel: "VIBAX", Every: 10_000_000, Values: []float64{1, 2, 3, rng.Float64()}}, {Channel: "WOB", Values: []float64{111}}}}})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b sent) int {
		if a.at < b.at {
			return -1
		} else if a.at > b.at {
			return 1
		}
		return 0
	})
	out := make([]*telemetry.Frame, len(all))
	for i, s := range all {
		out[i] = s.f
	}
	return out
}

// probe is a model that keeps what it is given, and says its first input again.
type probe struct {
	rows [][]any
	got  [][]any // what was evaluated and is not yet known by tick
}

func (p *probe) Load(context.Context, string) (scorer.Model, error) { return p, nil }
func (p *probe) Fetch(context.Context, string) ([]byte, error)      { return nil, errors.New("none") }
func (p *probe) Inputs() []scorer.Field {
	var out []scorer.Field
	for _, n := range inputs {
		out = append(out, scorer.Field{Name: n})
	}
	return append(out, scorer.Field{Name: "state", Text: true})
}
func (p *probe) Outputs() []string           { return []string{"said"} }
func (p *probe) Every() time.Duration        { return 0 }
func (p *probe) Hold() time.Duration         { return 0 }
func (p *probe) Evaluator() scorer.Evaluator { return p }
func (p *probe) Reset(rows int) {
	p.rows = make([][]any, rows)
	for i := range p.rows {
		p.rows[i] = make([]any, len(inputs)+1)
	}
}
func (p *probe) Number(i, row int, v float64)     { p.rows[row][i] = math.Float64bits(v) }
func (p *probe) Text(i, row int, s string)        { p.rows[row][i] = s }
func (p *probe) Run()                             { p.got = append(p.got, p.rows...) }
func (p *probe) Err(int) error                    { return nil }
func (p *probe) Explain(int, *telemetry.Evidence) {}
func (p *probe) Output(_, row int) (v float64, text string) {
	return math.Float64frombits(p.rows[row][0].(uint64)), ""
}

type tickOf struct {
	drill string
	tick  int64
}

// streamed plays a stream through a scorer's partition and a store, as the
// services do, and returns what the model had at each tick at last.
func streamed(t *testing.T, st *duckdb.Store, frames []*telemetry.Frame, clock *telemetry.ManualClock, seed uint64) map[tickOf][]any {
	t.Helper()
	ctx := context.Background()
	had := map[tickOf][]any{}
	m := &probe{}
	b := &storage.Batch{}
	out := &tape{score: func(s *telemetry.Score) {
		if len(s.Results) > 0 {
			had[tickOf{s.Drill, s.Tick}] = m.got[0]
			m.got = m.got[1:]
		}
		var c telemetry.Score
		if err := telemetry.DecodeScore(telemetry.AppendScore(nil, s), &c); err != nil {
			t.Fatal(err)
		}
		b.Scores = append(b.Scores, c)
	}}
	cat := telemetry.DefaultCatalogue()
	part, err := scorer.NewPartition(scorer.DefaultPartitionConfig(), m, m, cat, nothing{}, out)
	if err != nil {
		t.Fatal(err)
	}
	// Told before, holding from the middle on: a bit is changed, and a part has numbers.
	change := telemetry.Marker{ID: "3", Kind: telemetry.MarkerRun, Name: "c1", Action: "activate", Drills: []string{"RIG-01"}, From: t0 + 2000*sec,
		Run: &telemetry.RunChange{Position: "bit", Run: "bit:2", Event: "bit_change", Channels: []string{"WOB"}}}
	drive := telemetry.Marker{ID: "4", Kind: telemetry.MarkerRun, Name: "c2", Action: "activate", Drills: []string{"RIG-01"}, From: t0 + 1000*sec,
		Run: &telemetry.RunChange{Position: "top_drive", Run: "td:1", Numbers: map[string]float64{"ratio": 8.5}}}
	bearing := telemetry.Marker{ID: "5", Kind: telemetry.MarkerRun, Name: "c3", Action: "activate", Drills: []string{"RIG-01"}, From: t0 + 700*sec,
		Run: &telemetry.RunChange{Position: "top_drive/bearing", Run: "b:1", Numbers: map[string]float64{"bpfo": 3.06}}}
	b.Markers = append(b.Markers, change, drive, bearing)
	for _, history := range []bool{false, true} {
		for _, mk := range []*telemetry.Marker{&change, &drive, &bearing, {ID: "1", Kind: telemetry.MarkerModel, Name: "probe", Version: 1, Action: "activate"}, {ID: "2", Kind: telemetry.MarkerChannel, Name: "OWN_ONE", Action: "activate"}} {
			if err := part.Marker(ctx, mk, history); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen, err := dedup.New(dedup.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 99))
	var batch []*telemetry.Frame
	commit := func() {
		b.Arrived = clock.Now().UnixNano()
		for _, f := range batch {
			c := *f
			switch seen.See(c.Drill, c.ID(), c.Hash, c.TS) {
			case dedup.Duplicate:
				continue
			case dedup.Conflict:
				c.Boot, c.Flags = telemetry.ConflictBoot(c.Boot, c.Hash), c.Flags|telemetry.FlagConflict
				seen.See(c.Drill, c.ID(), c.Hash, c.TS)
			}
			b.AddFrame(&c)
		}
		for _, f := range batch {
			c := *f
			if err := part.Frame(ctx, &c, f.Origin == telemetry.Backfill, 0); err != nil {
				t.Fatal(err)
			}
		}
		part.Flush()
		if err := st.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
		b.Reset()
		batch = batch[:0]
	}
	for i, f := range frames {
		clock.Set(time.Unix(0, max(clock.Now().UnixNano(), f.TS)))
		batch = append(batch, f)
		if len(batch) > rng.IntN(8000) { // a hundred or so
			commit()
		}
		if i == len(frames)/3 || i == len(frames)*2/3 {
			commit()
			if err := st.Seal(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit()
	return had
}

type tape struct{ score func(*telemetry.Score) }

func (t *tape) Score(s *telemetry.Score)    { t.score(s) }
func (t *tape) Alarm(*telemetry.AlarmEvent) {}

type nothing struct{}

func (nothing) FrameStored(context.Context, string, telemetry.FrameID, int64) (bool, error) {
	return false, nil
}

func open(t *testing.T) (*duckdb.Store, *telemetry.ManualClock) {
	t.Helper()
	clock := telemetry.NewManualClock(time.Unix(0, t0))
	cfg := duckdb.DefaultConfig(t.TempDir())
	cfg.Grace = 0
	st, err := duckdb.Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st, clock
}

// run does one export and returns its file and job.
func run(t *testing.T, st *duckdb.Store, r Request) (string, Job) {
	t.Helper()
	cat := telemetry.DefaultCatalogue()
	if err := cat.Register(telemetry.Channel{Tag: "OWN_ONE", Unit: "kN", User: true, Factor: 1, Low: -1e9, High: 1e9, PhysLow: -1e9, PhysHigh: 1e9}); err != nil {
		t.Fatal(err)
	}
	j, err := New(DefaultConfig(filepath.Join(t.TempDir(), "x")), st, cat, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	x, err := j.Add(r, "ann")
	if err != nil {
		t.Fatal(err)
	}
	j.run(context.Background(), j.next())
	f, x, err := j.Open(x.ID, false)
	if err != nil {
		t.Fatal(err, x.Error)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "table."+or(r.Format, Parquet))
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, x
}

func query(t *testing.T, q string, row func(*sql.Rows)) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row(rows)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTheExportedTableIsWhatTheStreamComputedBitForBit(t *testing.T) {
	st, clock := open(t)
	drills := []string{"RIG-01", "RIG-02"}
	had := streamed(t, st, stream(drills, 4200, 1), clock, 1)
	columns := append(slices.Clone(inputs), "health", "probe.said")
	name, job := run(t, st, Request{Columns: columns, Every: "1s", Warmup: "all"})
	if len(job.Notes) > 0 {
		t.Errorf("notes: %v", job.Notes)
	}
	missing := maps.Clone(had)
	compare := func(name string, from int64) (rows, numbers int) {
		query(t, "SELECT epoch_us(ts), * EXCLUDE (ts) FROM read_parquet("+lit(name)+")", func(r *sql.Rows) {
			var us int64
			var drill, state string
			got := make([]sql.NullFloat64, len(columns))
			dst := []any{&us, &drill, &state}
			for i := range got {
				dst = append(dst, &got[i])
			}
			if err := r.Scan(dst...); err != nil {
				t.Fatal(err)
			}
			at := tickOf{drill, us * 1000}
			want, ok := had[at]
			rows++
			delete(missing, at)
			for i, c := range inputs {
				v := math.NaN()
				if ok {
					v = math.Float64frombits(want[i].(uint64))
				}
				same := got[i].Valid == (v == v) && (!got[i].Valid || math.Float64bits(got[i].Float64) == math.Float64bits(v))
				if !same && at.tick >= from {
					t.Fatalf("%s at %s: %s is %v (%v), the stream had %v", drill, stamp(at.tick), c, got[i].Float64, got[i].Valid, v)
				}
				if got[i].Valid {
					numbers++
				}
			}
			if ok && state != want[len(inputs)] {
				t.Fatalf("%s at %s: state %s, the stream had %v", drill, stamp(at.tick), state, want[len(inputs)])
			}
			if said := got[len(got)-1]; ok && said.Valid && math.Float64bits(said.Float64) != want[0].(uint64) {
				t.Fatalf("%s at %s: probe.said %v, its input was %v", drill, stamp(at.tick), said.Float64, got[0].Float64)
			}
		})
		return rows, numbers
	}
	rows, numbers := compare(name, 0)
	for at := range missing {
		t.Errorf("%s has no row at %s", at.drill, stamp(at.tick))
	}
	if since := had[tickOf{"RIG-01", t0 + 3000*sec}]; since == nil || math.Float64frombits(since[len(inputs)-2].(uint64)) != 1000.0/3600 || math.Float64frombits(since[len(inputs)-1].(uint64)) != 8.5 {
		t.Errorf("the change of equipment did not reach the stream: %v", since)
	}
	heard := map[string]bool{}
	for _, row := range had {
		for i, c := range inputs {
			if v := math.Float64frombits(row[i].(uint64)); v == v {
				heard[c] = true
			}
		}
	}
	for _, c := range inputs {
		if !heard[c] {
			t.Errorf("%s was missing at every tick", c)
		}
	}
	if len(had) < 6500 || numbers < rows*len(inputs)/2 {
		t.Errorf("%d rows with %d numbers, the stream had %d", rows, numbers, len(had))
	}
	// A shorter past gives the same where nothing reaches behind it: a slope over an hour reaches 59 minutes and 59 s more.
	from := t0 + 3700*sec
	columns = slices.DeleteFunc(columns, func(c string) bool {
		return strings.HasSuffix(c, "__z") || strings.Contains(c, "1h") || strings.Contains(c, "30m")
	})
	all := inputs
	inputs = columns[:len(columns)-2]
	defer func() { inputs = all }()
	for at, row := range had {
		kept := []any{}
		for i, c := range all {
			if slices.Contains(columns, c) {
				kept = append(kept, row[i])
			}
		}
		had[at] = append(kept, row[len(all)])
	}
	name, _ = run(t, st, Request{Columns: columns, From: stamp(from), Every: "10s", Warmup: "45m"})
	if rows, _ := compare(name, from+1); rows < 60 || rows > 110 {
		t.Errorf("%d rows of 500 s, one every 10 s, of two drills", rows)
	}
}

func TestALabelHoldsInItsSpan(t *testing.T) {
	st, clock := open(t)
	streamed(t, st, stream([]string{"RIG-01", "RIG-02", "RIG-03"}, 600, 2), clock, 2)
	at := func(s int64) string { return stamp(t0 + s*sec) }
	name, _ := run(t, st, Request{Columns: []string{"WOB"}, Every: "60s", Split: map[string]uint32{"train": 2, "test": 1}, Labels: []Span{
		{Drill: "RIG-01", Kind: "washout", From: at(120), To: at(480)}, {Drill: "RIG-02", Kind: "grade", From: at(0), To: at(300), Value: "worn"}}})
	n, inside, splits := 0, 0, map[string]string{}
	query(t, "SELECT drill, epoch_us(ts) * 1000, label_washout, label_washout_age, label_washout_hours_left, label_grade, split FROM read_parquet("+lit(name)+")", func(r *sql.Rows) {
		var drill, split string
		var ts int64
		var value float64
		var age, left sql.NullFloat64
		var grade sql.NullString
		if err := r.Scan(&drill, &ts, &value, &age, &left, &grade, &split); err != nil {
			t.Fatal(err)
		}
		n++
		s := float64(ts-t0) / 1e9
		in := drill == "RIG-01" && s >= 120 && s < 480
		if in {
			inside++
		}
		if (value == 1) != in || age.Valid != in || in && (age.Float64 != (s-120)/360 || math.Abs(left.Float64*3600-(480-s)) > 1e-9) {
			t.Errorf("%s at %v s: washout %v, age %v, left %v", drill, s, value, age, left)
		}
		if (grade.String == "worn") != (drill == "RIG-02" && s < 300) {
			t.Errorf("%s at %v s: grade %v", drill, s, grade)
		}
		if was, ok := splits[drill]; ok && was != split {
			t.Errorf("%s is in two shares", drill)
		}
		splits[drill] = split
	})
	count := map[string]int{}
	for _, s := range splits {
		count[s]++
	}
	if n < 25 || inside < 5 || count["train"] != 2 || count["test"] != 1 {
		t.Errorf("%d rows, %d in the span, shares %v", n, inside, splits)
	}
}

func TestReadingsAndScoresAreExportedAsTheyLie(t *testing.T) {
	st, clock := open(t)
	frames := stream([]string{"RIG-01"}, 300, 3)
	streamed(t, st, frames, clock, 3)
	var want int64
	if err := st.SQL().QueryRow("SELECT count(*) FROM main.readings WHERE channel IN ('WOB', 'SPP')").Scan(&want); err != nil {
		t.Fatal(err)
	}
	for format, read := range map[string]string{Parquet: "read_parquet", CSV: "read_csv", JSON: "read_json"} {
		name, job := run(t, st, Request{Table: Readings, Columns: []string{"WOB", "SPP"}, Format: format})
		var n int64
		query(t, "SELECT count(*) FROM "+read+"("+lit(name)+") WHERE channel IN ('WOB', 'SPP') AND value IS NOT NULL", func(r *sql.Rows) {
			if err := r.Scan(&n); err != nil {
				t.Fatal(err)
			}
		})
		if n != want || job.Rows != want || n < 2000 {
			t.Errorf("%s: %d readings, the job says %d, the store has %d", format, n, job.Rows, want)
		}
		name, job = run(t, st, Request{Table: Scores, Format: format, Limit: 50})
		query(t, "SELECT count(*) FROM "+read+"("+lit(name)+") WHERE drill = 'RIG-01'", func(r *sql.Rows) {
			if err := r.Scan(&n); err != nil || n != 50 || job.Rows != 50 {
				t.Errorf("%s: %d scores of 50, the job says %d, %v", format, n, job.Rows, err)
			}
		})
	}
}

func TestARequestIsRefusedWithAllThatIsWrongWithIt(t *testing.T) {
	st, clock := open(t)
	cat := telemetry.DefaultCatalogue()
	f := func(r Request, want ...string) {
		t.Helper()
		_, err := compile(r, st, cat)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: %v, want %q", r, err, w)
			}
		}
	}
	f(Request{Columns: []string{"WOB"}}, "nothing is stored yet")
	streamed(t, st, stream([]string{"RIG-01"}, 60, 4), clock, 4)
	f(Request{}, "columns: none given")
	f(Request{Columns: []string{"WOB__mean__61m__q", "NO_SUCH", "WOB", "WOB", "wob"}, Drills: []string{"RIG-9*"}, Every: "1500ms", Format: "xls", Split: map[string]uint32{"a": 0}},
		"WOB__mean__61m__q", "channel NO_SUCH: no such channel", "WOB: twice", `drills: no frame of "RIG-9*" is stored; there are RIG-01`, "every: must be whole seconds", `format: "xls"`, "split: shares")
	f(Request{Columns: []string{"WOB"}, From: "yesterday"}, `from: "yesterday": want a time as`)
	f(Request{Columns: []string{"WOB"}, From: "2020-01-01T00:00:00Z", To: "2020-01-02T00:00:00Z"}, "nothing is stored of that time; frames reach from")
	f(Request{Columns: []string{"WOB"}, Labels: []Span{{Drill: "RIG-01", Kind: "9", From: "x", To: "y"}, {Drill: "RIG-01", Kind: "a", From: "2026-01-02T00:00:00Z", To: "2026-01-01T00:00:00Z"}}},
		"labels: 1", "labels: 2 (RIG-01 a): to: must be after from")
	f(Request{Table: Readings, Every: "60s"}, "every: is for features")
}

func TestAJobThatRunsCanBeCancelled(t *testing.T) {
	st, clock := open(t)
	streamed(t, st, stream([]string{"RIG-01"}, 900, 5), clock, 5)
	j, err := New(DefaultConfig(filepath.Join(t.TempDir(), "x")), st, telemetry.DefaultCatalogue(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	x, err := j.Add(Request{Columns: []string{"WOB"}}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	j.store = &interrupted{Store: st, at: 200, f: func() {
		if err := j.Delete(x.ID); err != nil {
			t.Error(err)
		}
	}}
	job := j.next()
	j.run(context.Background(), job)
	if job.State != Cancelled || len(j.List()) != 0 {
		t.Errorf("state %s, %d jobs", job.State, len(j.List()))
	}
	if left, err := os.ReadDir(j.cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := j.Get(x.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("a deleted job: %v", err)
	}
}

// interrupted calls f while a replay is going on.
type interrupted struct {
	Store
	at int
	f  func()
}

func (s *interrupted) Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error) {
	n := 0
	return s.Store.Replay(ctx, q, func(fr *telemetry.Frame) error {
		if n++; n == s.at {
			s.f()
		}
		return f(fr)
	})
}

func TestASchemaDescribesEachColumn(t *testing.T) {
	st, clock := open(t)
	streamed(t, st, stream([]string{"RIG-01"}, 120, 6), clock, 6)
	j, err := New(DefaultConfig(filepath.Join(t.TempDir(), "x")), st, telemetry.DefaultCatalogue(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	x, err := j.Add(Request{Columns: []string{"WOB", "health"}}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	j.run(context.Background(), j.next())
	f, _, err := j.Open(x.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s Schema
	if err := json.NewDecoder(f).Decode(&s); err != nil {
		t.Fatal(err)
	}
	if len(s.Columns) != 5 || s.Columns[3].Name != "WOB" || s.Columns[3].Unit != "kN" || s.Rows < 2 || s.Frames < 100 {
		t.Errorf("schema: %+v", s)
	}
}
