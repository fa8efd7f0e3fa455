//go:build e2e

package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/clickhouse/clickhousetest"
	"github.com/mudpulse/mudpulse/telemetry"
)

var t0 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()

// second is a batch of one second of a drill, with a row in every table.
func second(n int64) *storage.Batch {
	at := t0 + n*1e9
	b := &storage.Batch{Arrived: at + 2e9, Cluster: "one", Offsets: []storage.Offset{{Topic: "frames", Next: n}}, Dedup: fmt.Appendf(nil, "state %d", n)}
	f := &telemetry.Frame{Drill: "RIG-1", Device: "d", Boot: "b", Seq: uint64(n), TS: at, Hash: uint64(n), Gateway: "gw", Received: at, Runs: []telemetry.Run{
		{Channel: "WOB", Every: 1e8, Values: []float64{1, math.NaN(), 3, float64(n)}, Quality: []telemetry.Quality{0, 0, 2, 0}},
		{Channel: fmt.Sprintf("tag_%d", n), Offset: -5e7, Values: []float64{7}},
		{Channel: "VIB_WAVE", Every: 1e6, Values: make([]float64, telemetry.LeastWaveform)},
	}}
	for _, ch := range telemetry.DefaultCatalogue().OfClass(telemetry.Waveform) {
		f.Runs[2].Channel = ch.Tag
	}
	b.AddFrame(f)
	b.Scores = []telemetry.Score{{Drill: "RIG-1", Tick: at, State: telemetry.StateRotary, Health: 90 - float64(n), Confidence: 1, Causes: []telemetry.FrameID{f.ID()}, CauseHash: uint64(n),
		Results: []telemetry.Result{{Model: fmt.Sprintf("m%d@1", n), Outputs: []telemetry.Output{{Name: "p", Number: 0.5}}}}}}
	id := fmt.Sprint("a", n)
	b.Alarms = []telemetry.AlarmEvent{{ID: id, Event: telemetry.AlarmRaised, Drill: "RIG-1", At: at, Raised: at, Priority: 2}}
	b.Commands = []telemetry.Command{{ID: id, Kind: "ack", Alarm: id, Drill: "RIG-1", By: "ann", At: at}}
	b.Markers = []telemetry.Marker{{ID: id, Kind: telemetry.MarkerModel, Name: "m", Version: 1, At: at}}
	b.Quarantined = []telemetry.Quarantined{{ID: id, Drill: "RIG-1", Device: "d", Received: at, Code: "malformed", Raw: []byte{0, 255}, RawSize: 2}}
	b.Gateways = []telemetry.GatewayStatus{{Gateway: "gw", At: at, Accepted: []telemetry.Accepted{{Drill: "RIG-1", Device: "d", Boot: "b", Ranges: [][2]uint64{{1, uint64(n)}}}}}}
	b.Channels = []telemetry.Channel{{Tag: fmt.Sprintf("mine_%d", n), Unit: "kN", User: true}}
	b.Lost = []storage.Lost{{Topic: "frames", From: n, To: n}}
	return b
}

// told is all that a store says.
func told(t *testing.T, s *Store) string {
	t.Helper()
	ctx := context.Background()
	var out strings.Builder
	say := func(what string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		fmt.Fprintf(&out, "%s: %+v\n", what, v)
	}
	p, err := s.Position(ctx)
	say("position", []any{p.Cluster, p.Offsets, p.DedupCommit, string(p.Dedup)}, err)
	var frames []storage.StoredFrame
	err = s.FramesSince(ctx, 0, func(f storage.StoredFrame) error { frames = append(frames, f); return nil })
	slices.SortFunc(frames, func(a, b storage.StoredFrame) int { return cmp.Compare(a.TS, b.TS) })
	say("frames", frames, err)
	series, err := s.Series(ctx, storage.SeriesQuery{Drill: "RIG-1", Channels: []string{"wob", "tag_1", "health", "m1.p"}, From: t0, To: t0 + 60e9, Points: 60})
	say("series", series, err)
	scores, err := s.Scores(ctx, "RIG-1", t0, t0+60e9, 0)
	say("scores", scores, err)
	alarms, err := s.AlarmEvents(ctx, storage.AlarmQuery{})
	say("alarms", len(alarms), err)
	commands, err := s.Commands(ctx, storage.CommandQuery{})
	say("commands", commands, err)
	markers, err := s.Activations(ctx)
	say("markers", markers, err)
	aside, n, err := s.Quarantine(ctx, 100, 0)
	say("quarantine", []any{aside, n}, err)
	gateways, err := s.Gateways(ctx)
	say("gateways", gateways, err)
	channels, err := s.Channels(ctx)
	say("channels", channels, err)
	waves, err := s.Waveforms(ctx, "RIG-1", t0, t0+60e9, 100)
	say("waveforms", waves, err)
	fleet, err := s.Fleet(ctx, "WOB", t0, t0+60e9)
	say("fleet", fleet, err)
	l, err := s.Ledger(ctx, storage.LedgerQuery{Audit: true})
	say("ledger", l, err)
	say("replayed", replayedOf(t, s), nil)
	say("unregistered", s.Unregistered(), nil)
	say("drills", s.Drills(), nil)
	say("latest", s.Latest("RIG-1"), nil)
	latest := s.LatestScores()
	say("latest score", []any{len(latest), *latest[len(latest)-1]}, nil)
	say("health", s.HealthHistory(t0), nil)
	return out.String()
}

func replayedOf(t *testing.T, s *Store) (out []telemetry.Frame) {
	t.Helper()
	done, err := s.Replay(context.Background(), storage.ReplayQuery{Drill: "RIG-1", From: t0, To: t0 + 60e9}, func(f *telemetry.Frame) error { out = append(out, *f); return nil })
	if err != nil || int(done.Frames) != len(out) || done.Short > 0 {
		t.Fatalf("replayed %+v, %d frames: %v", done, len(out), err)
	}
	return out
}

func differ(t *testing.T, what, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("%s:\n got %.1500s\nwant %.1500s", what, a[i], b[i])
		}
	}
}

// A writer dies, or its connection is cut, after each table that a commit fills, one try
// after the other: nobody sees anything of it, and what is read from the log again is there once.
func TestKilledBetweenTheTablesOfACommitTheSameRowsAreThereOnce(t *testing.T) {
	url := clickhousetest.Start(t, t.TempDir())
	ctx := context.Background()
	commit := func(s *Store, n int64) {
		t.Helper()
		if err := s.Commit(ctx, second(n)); err != nil {
			t.Fatal(err)
		}
	}
	whole := open(t, fresh(url))
	commit(whole, 1)
	one := told(t, whole)
	commit(whole, 2)
	two := told(t, whole)
	if one == two || strings.Contains(two, "Gaps:[{") {
		t.Fatalf("a commit more says nothing more, or there are gaps:\n%s", two)
	}

	cfg := fresh(url)
	first := open(t, cfg)
	commit(first, 1)
	differ(t, "after one commit", told(t, first), one)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	readonly := cfg
	readonly.ReadOnly = true
	reader := open(t, readonly)
	for point := 1; ; point++ {
		passed, killed := 0, point%2 == 0
		try, cancel := context.WithCancel(ctx)
		cfg.CrashPoint = func(name string) {
			if passed++; passed == point {
				if killed || name == CrashCommitted {
					panic(name)
				}
				cancel()
			}
		}
		var err error
		s := open(t, cfg)
		died := func() (why any) {
			defer func() { why = recover() }()
			err = s.Commit(try, second(2))
			return nil
		}()
		cancel()
		if died == CrashCommitted || died == nil && err == nil {
			if point < 10 {
				t.Fatalf("only %d points", point)
			}
			if died != CrashCommitted {
				t.Errorf("the last point was %v", died)
			}
			break
		}
		if err := reader.catchUp(ctx); err != nil {
			t.Fatal(err)
		}
		if got := reader.horizon().last; got>>epochBits != 1 {
			t.Fatalf("point %d: a reader sees commit %d", point, got)
		}
		if point%5 == 0 {
			differ(t, fmt.Sprintf("another process after point %d", point), told(t, reader), one)
		}
		if !killed { // goes on itself
			cfg.CrashPoint = func(string) {}
		}
	}
	last := open(t, cfg)
	differ(t, "opened again", told(t, last), two)
	if err := reader.catchUp(ctx); err != nil {
		t.Fatal(err)
	}
	differ(t, "another process at last", told(t, reader), two)
}

// A cut connection does not need a new store: the next commit is under another number.
func TestACommitThatFailedIsCommittedAgain(t *testing.T) {
	url := clickhousetest.Start(t, t.TempDir())
	cfg := fresh(url)
	passed := 0
	try, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg.CrashPoint = func(string) {
		if passed++; passed == 4 {
			cancel()
		}
	}
	s := open(t, cfg)
	if err := s.Commit(try, second(1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("under a context that ends: %v", err)
	}
	for n := int64(1); n <= 2; n++ {
		if err := s.Commit(context.Background(), second(n)); err != nil {
			t.Fatal(err)
		}
	}
	got := told(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole := open(t, fresh(url))
	for n := int64(1); n <= 2; n++ {
		if err := whole.Commit(context.Background(), second(n)); err != nil {
			t.Fatal(err)
		}
	}
	want := told(t, whole)
	differ(t, "in the same store", got, want)
	differ(t, "opened again", told(t, open(t, cfg)), want)
}

func TestOfTwoWritersTheOneThatOpenedLastGoesOn(t *testing.T) {
	cfg := fresh(clickhousetest.Start(t, t.TempDir()))
	old := open(t, cfg)
	ctx := context.Background()
	if err := old.Commit(ctx, second(1)); err != nil {
		t.Fatal(err)
	}
	s := open(t, cfg)
	if err := old.Commit(ctx, second(2)); !errors.Is(err, storage.ErrBroken) || !strings.Contains(err.Error(), "another writer") {
		t.Errorf("the older writer: %v", err)
	}
	if err := s.Commit(ctx, second(3)); err != nil {
		t.Fatal(err)
	}
	if frames := replayedOf(t, s); len(frames) != 2 || frames[0].Seq != 1 || frames[1].Seq != 3 {
		t.Errorf("%d frames: %+v", len(frames), frames)
	}
	again := open(t, cfg)
	if frames := replayedOf(t, again); len(frames) != 2 {
		t.Errorf("opened again: %d frames", len(frames))
	}
}

// Frames are given again as they came, runs and absent samples too.
func TestReplayGivesFramesAsTheyCameAndLateOnesAreFound(t *testing.T) {
	s := open(t, fresh(clickhousetest.Start(t, t.TempDir())))
	ctx := context.Background()
	var want []telemetry.Frame
	for n := int64(1); n <= 3; n++ {
		b := second(n)
		want = append(want, *b.Frames()[0].Clone())
		if n == 2 { // an hour late, by the clock that the store has; nobody scored it
			b.Scores, b.Arrived = nil, b.Arrived+3600e9
		}
		if err := s.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprintf("%+v", replayedOf(t, s)); got != fmt.Sprintf("%+v", want) {
		t.Errorf("replayed:\n got %.2000s\nwant %.2000s", got, fmt.Sprintf("%+v", want))
	}
	late, last, err := s.LateFrames(ctx, 0, time.Minute, 24*time.Hour)
	if err != nil || len(late) != 1 || late[0].From != t0+2e9 || last != 3 {
		t.Errorf("late frames: %+v, up to %d: %v", late, last, err)
	}
	if late, _, err := s.LateFrames(ctx, 2, time.Minute, 24*time.Hour); err != nil || len(late) != 0 {
		t.Errorf("after commit 2: %+v %v", late, err)
	}
	var said []float64
	if err := s.Said(ctx, "RIG-1", []string{"health", "m3.p"}, t0, t0+60e9, func(_ int64, v []float64) error { said = append(said, v...); return nil }); err != nil || fmt.Sprint(said) != "[89 NaN 87 0.5]" {
		t.Errorf("said %v: %v", said, err)
	}
	for _, view := range []string{"readings", "frames", "scores", "health", "alarms", "commands", "activations", "quarantine", "waveforms"} {
		var n uint64
		want := uint64(3)
		switch view {
		case "readings": // of 3 frames: 3 of 4 samples are present, and one of a tag
			want = 12
		case "scores", "health":
			want = 2
		}
		if err := s.one(ctx, "SELECT count() FROM "+s.database+"."+view, &n); err != nil || n != want {
			t.Errorf("view %s: %d rows, want %d: %v", view, n, want, err)
		}
	}
}
