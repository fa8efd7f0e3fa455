package scoring

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// expected is what the tree gives where only the fields of a set are known:
// the rest of it is as the records were. The definition, without cleverness.
func expected(w *shapWalk, at int32, known map[int]bool) float64 {
	p := &w.t.splits[at]
	switch {
	case p.kind == 0:
		return w.t.values[at]
	case known[p.slot] && w.right(p):
		return expected(w, p.right, known)
	case known[p.slot]:
		return expected(w, p.left, known)
	}
	c := w.t.cover[at]
	if c == 0 {
		return 0
	}
	return expected(w, p.left, known)*w.t.cover[p.left]/c + expected(w, p.right, known)*w.t.cover[p.right]/c
}

// shapley averages what a field adds over all subsets of the others.
func shapley(w *shapWalk, slots []int, of int) float64 {
	phi, n := 0.0, len(slots)
	for set := range 1 << n {
		if set>>of&1 == 1 {
			continue
		}
		known, size := map[int]bool{}, 0
		for i := range n {
			if set>>i&1 == 1 {
				known[slots[i]] = true
				size++
			}
		}
		weight := math.Gamma(float64(size+1)) * math.Gamma(float64(n-size)) / math.Gamma(float64(n+1))
		without := expected(w, 0, known)
		known[slots[of]] = true
		phi += weight * (expected(w, 0, known) - without)
	}
	return phi
}

func TestShapleyValuesAreThoseOfTheDefinition(t *testing.T) {
	compared := 0
	for seed := range int64(60) {
		g := &maker{Rand: rand.New(rand.NewSource(1000 + seed))}
		m, err := Load(strings.NewReader(g.document(4)))
		if err != nil {
			t.Fatal(err)
		}
		s := m.NewScorer()
		b := s.Batch(12)
		g.fill(b, 0)
		for row := range b.Rows() {
			got, err := s.ExplainRow(b, row)
			if err != nil {
				continue // no result to explain
			}
			tr := m.top.eval.(*tree)
			st := s.x.kept[shapKey{tr, false}]
			if st != nil && st.gapped && !s.x.gaps(st) {
				st = s.x.kept[shapKey{tr, true}]
			}
			if st == nil || got.Method != "shap" {
				continue
			}
			w := &shapWalk{x: s.x, t: st}
			var slots []int
			names := map[string]int{}
			for _, p := range st.splits {
				if p.kind != 0 && names[s.x.slots[p.slot].name] == 0 {
					slots = append(slots, p.slot)
					names[s.x.slots[p.slot].name] = len(slots)
				}
			}
			if len(slots) > 9 {
				continue
			}
			terms := map[string]float64{}
			for _, x := range got.Terms {
				terms[x.Name] = x.Value
			}
			for i, slot := range slots {
				name := s.x.slots[slot].name
				if want := shapley(w, slots, i); math.Abs(want-terms[name]) > 1e-12 {
					t.Fatalf("seed %d row %d: %s adds %v, by definition %v", seed, row, name, terms[name], want)
				}
				compared++
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d values were compared", compared)
	}
}

// The terms and the base sum to the score, whatever the model is made of.
func TestTermsSumToTheScore(t *testing.T) {
	explained := map[string]int{}
	for seed := range int64(160) {
		kind := int(seed % 8)
		g := &maker{Rand: rand.New(rand.NewSource(5000 + seed))}
		m, err := Load(strings.NewReader(g.document(kind)))
		if err != nil {
			t.Fatal(err)
		}
		s := m.NewScorer()
		b := s.Batch(20)
		g.fill(b, 0)
		for row := range b.Rows() {
			for _, how := range []Method{Shapley, Steps} {
				x, err := s.ExplainRow(b, row, how)
				if err != nil {
					continue
				}
				res := m.top.run(s.r)
				want := res.v.f
				switch {
				case kind == 5: // softmax: the margin of the class
					want = s.r.get(m.top.scope.fields["m"+x.Class]).f
				case kind == 2 || kind == 3:
					continue // the margin of a link: TestALinearModelIsItsTerms
				case kind%2 == 1:
					want, _ = res.probability(x.Class)
				case m.top.target.given && m.top.target.cast != "":
					continue // rounding has no terms
				}
				if math.Abs(x.Score-want) > 1e-5*(1+math.Abs(want)) {
					t.Fatalf("seed %d (%d) row %d: %s terms sum to %v, the score is %v", seed, kind, row, x.Method, x.Score, want)
				}
				explained[x.Method]++
			}
		}
	}
	if explained["shap"] < 300 || explained["path"] < 300 {
		t.Errorf("explained: %v", explained)
	}
}

func TestALinearModelIsItsTerms(t *testing.T) {
	m, err := Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="a" dataType="double" optype="continuous"/><DataField name="c" dataType="string" optype="categorical"/></DataDictionary>
		<RegressionModel functionName="regression" normalizationMethod="logit"><MiningSchema><MiningField name="a"/><MiningField name="c"/></MiningSchema>
		<RegressionTable intercept="0.5"><NumericPredictor name="a" coefficient="3" exponent="2"/><CategoricalPredictor name="c" value="x" coefficient="-7"/></RegressionTable></RegressionModel></PMML>`))
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewScorer()
	if _, err := s.Score(Row{"a": 2.0, "c": "x"}); err != nil {
		t.Fatal(err)
	}
	x, err := s.Explain()
	if err != nil || x.Method != "linear" || x.Base != 0.5 || x.Score != 5.5 || len(x.Terms) != 2 || x.Terms[0] != (Term{"a", 12}) || x.Terms[1] != (Term{"c", -7}) {
		t.Errorf("%+v %v", x, err)
	}
}

// testdata/shap is made by goldens.py in it: the shap package's own answers.
func TestShapleyValuesAreTheShapPackages(t *testing.T) {
	for _, name := range []string{"regressor", "classifier"} {
		f, err := os.Open("testdata/shap/" + name + ".pmml")
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile("testdata/shap/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want []struct {
			Row   map[string]float64
			Class string
			Base  float64
			Phi   map[string]float64
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		s := m.NewScorer()
		for i, w := range want {
			row := Row{}
			for k, v := range w.Row {
				row[k] = v
			}
			if _, err := s.Score(row); err != nil {
				t.Fatal(err)
			}
			x, err := s.Explain()
			if err != nil || x.Method != "shap" || x.Baseline != OverRecords || x.Class != w.Class {
				t.Fatalf("%s %d: %+v %v", name, i, x, err)
			}
			near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9*(1+math.Abs(b)) }
			if !near(x.Base, w.Base) {
				t.Errorf("%s %d: base %v, want %v", name, i, x.Base, w.Base)
			}
			for _, term := range x.Terms {
				if !near(term.Value, w.Phi[term.Name]) {
					t.Errorf("%s %d: %s adds %v, want %v", name, i, term.Name, term.Value, w.Phi[term.Name])
				}
				delete(w.Phi, term.Name)
			}
			for k, v := range w.Phi {
				if v != 0 {
					t.Errorf("%s %d: %s adds nothing, want %v", name, i, k, v)
				}
			}
		}
	}
}

// 500 trees of 64 leaves: an alarm's evidence is to stand within 10 ms.
func BenchmarkShapley500x64(b *testing.B) {
	g := &maker{Rand: rand.New(rand.NewSource(1))}
	m, err := Load(strings.NewReader(g.boosted(500, 6, 40)))
	if err != nil {
		b.Fatal(err)
	}
	s := m.NewScorer()
	row := Row{}
	for i := range 40 {
		row[fmt.Sprint("x", i)] = g.NormFloat64()
	}
	if _, err := s.Score(row); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Explain(); err != nil {
		b.Fatal(err)
	}
	for name, how := range map[string]Method{"Shapley": Shapley, "Steps": Steps} {
		b.Run(name, func(b *testing.B) {
			begin := cpuTime()
			for b.Loop() {
				if _, err := s.Explain(how); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuTime()-begin).Seconds()*1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpuTime is this process's: a busy machine does not lengthen it.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic("BUG: " + err.Error())
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// boosted is a sum of full trees over fields x0, x1, ….
func (g *maker) boosted(trees, depth, fields int) string {
	g.WriteString(`<PMML version="4.4"><DataDictionary>`)
	for i := range fields {
		fmt.Fprintf(g, `<DataField name="x%d" optype="continuous" dataType="double"/>`, i)
	}
	schema := "<MiningSchema>"
	for i := range fields {
		schema += fmt.Sprintf(`<MiningField name="x%d"/>`, i)
	}
	schema += "</MiningSchema>"
	g.WriteString(`</DataDictionary><MiningModel functionName="regression">` + schema + `<Segmentation multipleModelMethod="sum">`)
	var node func(when string, depth int)
	node = func(when string, depth int) {
		if depth == 0 {
			fmt.Fprintf(g, `<Node score="%v" recordCount="%d">%s</Node>`, g.NormFloat64(), 1+g.Intn(100), when)
			return
		}
		fmt.Fprintf(g, `<Node>%s`, when)
		f, cut := g.Intn(fields), g.NormFloat64()/2
		node(fmt.Sprintf(`<SimplePredicate field="x%d" operator="lessOrEqual" value="%v"/>`, f, cut), depth-1)
		node(fmt.Sprintf(`<SimplePredicate field="x%d" operator="greaterThan" value="%v"/>`, f, cut), depth-1)
		g.WriteString("</Node>")
	}
	for range trees {
		g.WriteString(`<Segment><True/><TreeModel functionName="regression">` + schema)
		node("<True/>", depth)
		g.WriteString("</TreeModel></Segment>")
	}
	g.WriteString("</Segmentation></MiningModel></PMML>")
	return g.String()
}
