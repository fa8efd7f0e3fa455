package scoring

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

// running remembers the sum of a slot by key and group, and a ring of two rows.
type running struct{ slot, by, m int }

func (t *running) fits(c *cell) bool { return len(c.v) <= 1 && c.ring(2) }
func (t *running) group(r *row) []byte {
	return []byte(r.get(t.by).s)
}
func (t *running) after(r *row, failed bool) {
	if failed || r.get(t.slot).k == missing {
		return
	}
	c := r.cell(t.m, t.group(r))
	c.n++
	c.push(r.get(t.slot).f, 2)
	if c.v == nil {
		c.v = []value{num(0)}
	}
	c.v[0] = num(c.v[0].f + r.get(t.slot).f)
}

// eval is the sum of the rows before.
func (t *running) eval(r *row) value {
	if c := r.cell(t.m, t.group(r)); c.v != nil {
		return c.v[0]
	}
	return none
}

// remembering is a model that predicts the sum of x over its key's and group's rows before.
func remembering(t testing.TB, name string) *Model {
	t.Helper()
	m, err := Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="x" dataType="double" optype="continuous"/><DataField name="g" dataType="string" optype="categorical"/></DataDictionary>
		<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="g"/></MiningSchema>
		<RegressionTable intercept="0"><NumericPredictor name="x" coefficient="1"/></RegressionTable></RegressionModel></PMML>`))
	if err != nil {
		t.Fatal(err)
	}
	// What a Lag would be: a slot over a memory.
	run := &running{slot: m.top.scope.fields["x"], by: m.top.scope.fields["g"]}
	run.m = m.prog.remember(name, run, run.slot, run.by)
	m.top.eval.(*regression).tables[0].numeric[0].slot = m.prog.add(slot{name: "sum", typ: typeDouble, source: run})
	return m
}

func TestWhatIsRememberedIsKeptByKeyAndGroup(t *testing.T) {
	s := remembering(t, "sum").NewScorer()
	f := func(key, group string, x any, want any) {
		t.Helper()
		got, err := s.ScoreKeyed(key, Row{"x": x, "g": group})
		if err != nil || got.Value("_target") != want {
			t.Errorf("%s/%s: %v (%v), want %v", key, group, got.Value("_target"), err, want)
		}
	}
	f("rig 1", "", 1.0, nil)
	f("rig 1", "", 2.0, 1.0)
	f("rig 2", "", 5.0, nil)
	f("rig 1", "a", 7.0, nil)
	f("rig 1", "", nil, 3.0) // a missing value leaves it as it was
	f("rig 1", "", 4.0, 3.0)
	f("rig 1", "a", 1.0, 7.0)
	f("rig 2", "", 1.0, 5.0)
	s.Forget("rig 2")
	f("rig 2", "", 1.0, nil)
}

func TestAStateThatIsRestoredGoesOnAsIfNothingHadBeen(t *testing.T) {
	m := remembering(t, "sum")
	s, again := m.NewScorer(), m.NewScorer()
	score := func(s *Scorer, i int) string {
		r, err := s.ScoreKeyed(fmt.Sprint("rig ", i%3), Row{"x": float64(i), "g": strings.Repeat("g", i%4)})
		return fmt.Sprint(r.Value("_target"), err)
	}
	for i := range 40 {
		score(s, i)
	}
	b := s.AppendState(nil)
	if err := again.RestoreState(b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.AppendState(nil), b) {
		t.Error("a restored state has other bytes")
	}
	for i := 40; i < 80; i++ {
		if x, y := score(s, i), score(again, i); x != y {
			t.Errorf("row %d: %s, after a restart %s", i, x, y)
		}
	}
	one := m.NewScorer()
	if err := one.RestoreState(s.AppendState(nil, "rig 1")); err != nil || one.Keys() != 1 {
		t.Errorf("%d keys restored of one (%v)", one.Keys(), err)
	}
	if err := remembering(t, "another thing").NewScorer().RestoreState(b); err != nil {
		t.Errorf("a state of another model: %v", err)
	}
}

func TestADamagedStateIsRefusedAndChangesNothing(t *testing.T) {
	m := remembering(t, "sum")
	s := m.NewScorer()
	for i := range 9 {
		if _, err := s.ScoreKeyed(fmt.Sprint(i%2), Row{"x": float64(i), "g": "ab"[:i%3]}); err != nil {
			t.Fatal(err)
		}
	}
	b := s.AppendState(nil)
	for n := range b {
		other := m.NewScorer()
		if err := other.RestoreState(b[:n]); err == nil || other.Keys() != 0 {
			t.Fatalf("%d of %d bytes are taken for a state", n, len(b))
		}
		bad := bytes.Clone(b)
		bad[n] ^= 0xff
		_ = other.RestoreState(bad) // must not panic, nor take memory it was not given
		if _, err := other.ScoreKeyed("0", Row{"x": 1.0, "g": "a"}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheKeyUsedLongestAgoIsForgottenFirst(t *testing.T) {
	s := remembering(t, "sum").NewScorer()
	s.KeepKeys(2)
	for _, key := range []string{"a", "b", "a", "c"} {
		if _, err := s.ScoreKeyed(key, Row{"x": 1.0}); err != nil {
			t.Fatal(err)
		}
	}
	if s.Keys() != 2 || s.r.state.keys["b"] != nil {
		t.Errorf("%d keys are kept, b among them: %v", s.Keys(), s.r.state.keys["b"] != nil)
	}
	for i := range maxGroups + 10 {
		if _, err := s.ScoreKeyed("a", Row{"x": 1.0, "g": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.r.state.keys["a"].groups[0]); n != maxGroups || s.r.state.keys["a"].groups[0]["3"] != nil {
		t.Errorf("%d groups are kept", n)
	}
}

func TestABatchOfManyKeysRemembersAsRowsDo(t *testing.T) {
	m := remembering(t, "sum")
	s, rows := m.NewScorer(), m.NewScorer()
	b := s.Batch(4)
	fill := func() {
		b.Reset(4)
		for i := range 4 {
			b.SetNumber(0, i, float64(i))
			b.SetKey(i, []string{"rig 1", "rig 2"}[i%2])
		}
	}
	for round := range 3 {
		fill()
		if err := s.Run(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			want, err := rows.ScoreKeyed([]string{"rig 1", "rig 2"}[i%2], Row{"x": float64(i)})
			if got := b.Number(0, i); err != nil || fmt.Sprint(got) != fmt.Sprint(want.Float("_target")) {
				t.Errorf("round %d row %d: %v, by rows %v", round, i, got, want.Float("_target"))
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		fill()
		_ = s.Run(context.Background(), b)
	}); n > 0 {
		t.Errorf("%v allocations a batch", n)
	}
}
