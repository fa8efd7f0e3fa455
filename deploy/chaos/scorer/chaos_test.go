//go:build e2e

// Package scorer kills and starves scorers while they score a seeded stream, on
// both logs, and compares what they published with an undisturbed run, bit by bit.
package scorer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Crash points of the scorer, and after how many passes a run may die there.
var points = []struct {
	name string
	upTo int
}{{"frame", 150}, {"produced", 3}, {"cut", 2}, {"drill", 4}, {"piece", 2}, {"acked", 1}, {"blob", 1}, {"manifest", 1}, {"removed", 1}}

// kills is how many crash points are hit in one run: CHAOS_KILLS for the long dose.
func kills(t *testing.T) int {
	n := 10
	if s := os.Getenv("CHAOS_KILLS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < len(points) {
			t.Fatalf("CHAOS_KILLS=%q: want a number of at least %d", s, len(points))
		}
	}
	return n
}

// rules raise and clear within the minutes of a small dose, which the default
// rules, made for people, do not: one for every rotating drill, one that comes and goes.
const rules = `{"version": 2, "rules": [
{"id": "turning", "kind": "limit", "title": "Turning", "subsystem": "bit", "priority": 3, "signal": "RPM", "op": ">", "limit": 10, "hysteresis": 5, "on_delay": "3s", "off_delay": "3s",
 "inputs": ["TQ", "WOB", "TDACC__env__o_3_06__f_2500_3500__10m", "TDACC__rms__10m"], "reason": "Turns at {value|0} rpm[ with {TQ|0.0} kN·m].", "advice": "Driller: none."},
{"id": "uneven", "kind": "limit", "title": "Uneven torque", "subsystem": "bit", "priority": 3, "signal": "TQ__delta__5s", "op": ">", "limit": 0.05, "hysteresis": 0.05, "on_delay": "1s", "off_delay": "1s",
 "inputs": ["TQ__mean__10s"], "reason": "Torque rose by {value|0.00} kN·m in 5 s.", "advice": "Driller: none."}]}`

// segment is how many seconds of all drills come between two kills.
const segment = 25

// scorer starts one member.
func (f *flow) scorer(args ...string) *harness.Proc {
	return harness.Start(f.t, nil, harness.Bin(f.t, "scorer"), append([]string{"--brokers", f.broker.addr, "--prefix", f.prefix, "--blobs", f.blobs, "--data", f.t.TempDir(),
		"--http", "127.0.0.1:0", "--checkpoint", "1s", "--log-level", "warn"}, args...)...)
}

// feed is what both runs get, in the same order: n+6 segments, models at the
// start, a new version in the middle; between calls what happens between them.
func (f *flow) feed(n int, between func(i int)) {
	f.t.Helper()
	f.activate(telemetry.MarkerRules, "rules", 2, []byte(rules))
	for _, name := range []string{"expected_spp", "washout", "stick_slip"} {
		f.activateFile(name, 1, "")
	}
	for i := range n {
		if i == n/2 {
			f.activateFile("washout", 2, "<!-- version 2 -->\n")
		}
		f.produce(f.in.segment(f.topics, segment))
		between(i)
	}
}

func (f *flow) settle(what string) {
	f.t.Helper()
	harness.Wait(f.t, 3*time.Minute, "checkpoints to cover all that came, "+what, func() bool { return f.covered(f.t) })
}

// A result is what was published: by drill, tick and road the last
// record, without the wall clock at which it was made.
type result struct {
	scores map[string][]byte
	alarms map[string][]byte
	ticks  int // records of scores, repeats included
}

func (f *flow) result() result {
	f.t.Helper()
	r := result{scores: map[string][]byte{}, alarms: map[string][]byte{}}
	last := map[string]int64{}
	for _, rec := range f.broker.drain(f.t, f.topics.Scores) {
		var s telemetry.Score
		if err := telemetry.DecodeScore(rec.Value, &s); err != nil {
			f.t.Fatalf("score at %d/%d: %v", rec.Partition, rec.Offset, err)
		}
		s.Produced = 0 // processing time: the only field that is left out
		key := fmt.Sprintf("%s %d %d", s.Drill, s.Tick, s.Origin)
		r.ticks++
		if at, ok := last[key]; !ok || rec.Offset > at {
			last[key] = rec.Offset
			r.scores[key] = telemetry.AppendScore(nil, &s)
		}
	}
	for _, rec := range f.broker.drain(f.t, f.topics.Alarms) {
		var e telemetry.AlarmEvent
		if err := json.Unmarshal(rec.Value, &e); err != nil {
			f.t.Fatalf("alarm at %d/%d: %v", rec.Partition, rec.Offset, err)
		}
		r.alarms[fmt.Sprintf("%s %s %d", e.ID, e.Event, e.At)] = rec.Value
	}
	return r
}

func (r result) compare(t *testing.T, want result) {
	t.Helper()
	same := func(what string, got, want map[string][]byte) {
		t.Helper()
		wrong := 0
		for k, w := range want {
			if g, ok := got[k]; !ok || !bytes.Equal(g, w) {
				if wrong++; wrong <= 3 {
					t.Errorf("%s %s: there %v, the same bits %v", what, k, ok, bytes.Equal(g, w))
				}
			}
		}
		for k := range got {
			if _, ok := want[k]; !ok {
				if wrong++; wrong <= 3 {
					t.Errorf("%s %s: the undisturbed run has none", what, k)
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d of %d differ", what, wrong, len(want))
		}
	}
	same("score", r.scores, want.scores)
	same("alarm", r.alarms, want.alarms)
	if len(want.scores) == 0 || len(want.alarms) == 0 {
		t.Errorf("the undisturbed run has %d scores and %d alarm steps: it proves nothing", len(want.scores), len(want.alarms))
	}
}

func TestScoresAreTheSameUnderEveryFailureOnTheEmbeddedLog(t *testing.T) { same(t, embedded(t), 1) }
func TestScoresAreTheSameUnderEveryFailureOnApacheKafka(t *testing.T)    { same(t, apache(t), 2) }

func same(t *testing.T, b *broker, seed uint64) {
	n := kills(t)
	calm := newFlow(t, b, seed, t.TempDir())
	p := calm.scorer()
	calm.feed(n+6, func(int) {})
	calm.settle("undisturbed")
	p.Stop()
	want := calm.result()

	f := newFlow(t, b, seed, small(t))
	rng := rand.New(rand.NewPCG(seed, 99))
	hit := map[string]int{}
	var members []*harness.Proc
	f.feed(n+6, func(i int) {
		if i < n {
			pt := points[i%len(points)]
			at := fmt.Sprintf("%s:%d", pt.name, 1+rng.IntN(pt.upTo))
			if p := f.scorer("--crash", at, "--instance", "one"); !p.Died(2 * time.Minute) {
				t.Fatalf("crash point %s was not hit", at)
			}
			hit[pt.name]++
			return
		}
		switch i - n {
		case 0: // one member, then four
			members = append(members, f.scorer("--instance", "one"))
			f.settle("one member")
			for _, name := range []string{"two", "three", "four"} {
				members = append(members, f.scorer("--instance", name))
			}
		case 1: // two leave, one of them by kill -9; its place is kept for the time of the group's session
			f.settle("four members")
			members[1].Stop()
			members[2].Kill()
		case 2: // the log dies and comes back
			f.settle("two members")
			b.down()
			b.up()
		case 3:
			f.settle("the log back")
			fill(t, f.blobs) // no checkpoint can be kept now
		case 4: // scored while the disk is full; what was scored is scored again after the kill
			harness.Wait(t, time.Minute, "scores beyond the last checkpoint", func() bool { return f.scored() })
			members[0].Kill()
			members[3].Kill()
			empty(t, f.blobs)
			members = append(members, f.scorer("--instance", "one"))
		}
	})
	f.settle("at the end")
	got := f.result()
	got.compare(t, want)
	for _, pt := range points {
		if hit[pt.name] == 0 {
			t.Errorf("crash point %s was never hit", pt.name)
		}
	}
	t.Logf("%s: %d frames, %d kills at crash points %v, members 1 → 4 → 2, the log killed, the disk full: %d ticks scored, %d alarm steps; the same bits as undisturbed (%d records published there, %d here)",
		b.name, f.in.frames, n, hit, len(want.scores), len(want.alarms), want.ticks, got.ticks)
}

// scored reports whether the newest second of every drill is scored.
func (f *flow) scored() bool {
	newest := map[string]int64{}
	for _, rec := range f.broker.drain(f.t, f.topics.Scores) {
		var s telemetry.Score
		if err := telemetry.DecodeScore(rec.Value, &s); err == nil && s.Origin == telemetry.Live {
			newest[s.Drill] = max(newest[s.Drill], s.Tick)
		}
	}
	n := 0
	for _, at := range newest {
		if at >= f.in.now.Add(-segment*time.Second/2).UnixNano() {
			n++
		}
	}
	return n == drills
}

// small is a folder on a disk of its own: 8 MB, and room for what kills leave
// behind: a checkpoint that no manifest names.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", 8+kills(t)/4), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("a small disk cannot be mounted, which needs root: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

const ballast = "ballast"

// fill leaves no room on the disk of dir.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, ballast))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for b := make([]byte, 4096); ; {
		if _, err := f.Write(b); err != nil {
			return
		}
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, ballast)); err != nil {
		t.Fatal(err)
	}
}
