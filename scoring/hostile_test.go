package scoring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// repeated reads head, then so many times a piece, then tail.
type repeated struct {
	head, piece, tail string
	times             int
	left              string
}

func (r *repeated) Read(p []byte) (int, error) {
	for r.left == "" {
		switch {
		case r.head != "":
			r.left, r.head = r.head, ""
		case r.times > 0:
			n := min(r.times, 1000)
			r.left, r.times = strings.Repeat(r.piece, n), r.times-n
		case r.tail != "":
			r.left, r.tail = r.tail, ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

const (
	treeHead = `<PMML version="4.4"><DataDictionary><DataField name="x" optype="continuous" dataType="double"/></DataDictionary><TreeModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><Node score="0"><True/>`
	treeTail = `</Node></TreeModel></PMML>`
)

// A file of ten million nodes is an error, and takes less than 1 GiB to find out.
func TestTenMillionNodesEndInAnErrorWithinAGibibyte(t *testing.T) {
	f := func(name string, in io.Reader, want string) {
		t.Helper()
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Load(in)
		runtime.ReadMemStats(&after) // what the heap has taken from the system, which it does not give back at once
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %.200v", name, m != nil, err)
		}
		if got := after.HeapSys - before.HeapSys; got > 1<<30 {
			t.Errorf("%s took %d MB", name, got>>20)
		}
	}
	f("ten million nodes", &repeated{head: treeHead, piece: `<Node score="1"><SimplePredicate field="x" operator="lessThan" value="1"/></Node>`, tail: treeTail, times: 10_000_000}, "the document is larger than the limit")
	f("ten million short nodes", &repeated{head: treeHead, piece: `<Node><True/></Node>`, tail: treeTail, times: 10_000_000}, "MB of memory")
	f("a deep document", &repeated{head: treeHead, piece: `<Node><True/>`, tail: treeTail, times: 2_000_000}, "nested deeper than 1024")
	f("a long attribute", io.MultiReader(strings.NewReader(`<PMML version="`), &repeated{piece: strings.Repeat("4", 1000), times: 20_000}, strings.NewReader(`"/>`)), "longer than")
}

// functions doubles the work at every step.
func functions(n int, fields int) string {
	var b strings.Builder
	b.WriteString(`<PMML version="4.4"><DataDictionary><DataField name="x" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary><TransformationDictionary>
<DefineFunction name="f0" optype="continuous" dataType="double"><ParameterField name="a"/><Apply function="+"><FieldRef field="a"/><FieldRef field="a"/></Apply></DefineFunction>`)
	for i := 1; i <= n; i++ {
		call := fmt.Sprintf(`<Apply function="f%d"><FieldRef field="a"/></Apply>`, i-1)
		fmt.Fprintf(&b, `<DefineFunction name="f%d" optype="continuous" dataType="double"><ParameterField name="a"/><Apply function="+">%s%s</Apply></DefineFunction>`, i, call, call)
	}
	b.WriteString(`</TransformationDictionary><RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="y" usageType="target"/></MiningSchema><LocalTransformations>`)
	for i := range fields {
		fmt.Fprintf(&b, `<DerivedField name="d%d" optype="continuous" dataType="double"><Apply function="f%d"><FieldRef field="x"/></Apply></DerivedField>`, i, n)
	}
	b.WriteString(`</LocalTransformations><RegressionTable intercept="0"><NumericPredictor name="d0" coefficient="1"/></RegressionTable></RegressionModel></PMML>`)
	return b.String()
}

func TestFunctionsThatDoubleAtEveryStepAreRefused(t *testing.T) {
	m := mustLoad(t, functions(10, 1))
	if res, err := m.Score(Row{"x": 1}); err != nil || res.Float("y") != 2048 {
		t.Error(res, err)
	}
	f := func(doc, want string) {
		t.Helper()
		if _, err := Load(strings.NewReader(doc)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.300v, want %s", err, want)
		}
	}
	f(functions(60, 1), "calls of functions in all")
	f(functions(14, 200), "calls of functions in all")
	self := strings.Replace(functions(3, 1), `<Apply function="+"><FieldRef field="a"/><FieldRef field="a"/></Apply>`, `<Apply function="f3"><FieldRef field="a"/></Apply>`, 1)
	f(self, "calls itself")
	derived := strings.Replace(functions(1, 1), `<FieldRef field="x"/>`, `<FieldRef field="d0"/>`, 1)
	f(derived, "depends on itself")
}

func TestWhatADocumentClaimsIsNotAllocated(t *testing.T) {
	f := func(doc string) {
		t.Helper()
		_, err := Load(strings.NewReader(doc))
		var le *LoadError
		if !errors.As(err, &le) {
			t.Errorf("%.200s: %v", doc, err)
		}
	}
	head := `<PMML version="4.4"><DataDictionary numberOfFields="999999999999"><DataField name="x" optype="continuous" dataType="double"/><DataField name="y" optype="categorical" dataType="string"/></DataDictionary>`
	f(head + `<TreeModel functionName="classification"><MiningSchema><MiningField name="x"/></MiningSchema><Node><SimpleSetPredicate field="x" booleanOperator="isIn"><Array type="int" n="999999999999">1 2</Array></SimpleSetPredicate></Node></TreeModel></PMML>`)
	f(head + `<TreeModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><Node score="NaNsense"><True/></Node></TreeModel></PMML>`)
	f(strings.Repeat(`<PMML version="4.4">`, 5000))
	f(`<PMML version="4.4">` + strings.Repeat(" ", 1000) + strings.Repeat("<Extension>", 2000))
}

// Load takes whatever comes: a model that scores, or an error with a place and
// a reason, in little memory.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(functions(3, 2)))
	f.Add([]byte(verified))
	f.Add([]byte(weather("weightedConfidence", "classification", "")))
	f.Add([]byte(treeHead + `<Node score="1"><CompoundPredicate booleanOperator="surrogate"><SimplePredicate field="x" operator="lessThan" value="1"/><True/></CompoundPredicate></Node>` + treeTail))
	for _, s := range seeds(f) {
		f.Add(s)
	}
	lim := DefaultLimits()
	lim.Bytes, lim.Elements, lim.Memory, lim.Depth = 1<<20, 20_000, 64<<20, 256
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Load(bytes.NewReader(data), WithLimits(lim))
		if err != nil {
			for _, p := range Problems(err) {
				if p.Reason == "" {
					t.Fatalf("a problem without a reason: %#v", p)
				}
			}
			return
		}
		s := m.NewScorer()
		for _, x := range []any{nil, 1.5, "abc", -2, true} {
			row := Row{}
			for _, in := range m.Inputs() {
				row[in.Name] = x
			}
			res, err := s.Score(row)
			if err != nil {
				var re *RowError
				if !errors.As(err, &re) || re.Message == "" {
					t.Fatalf("%v: %#v", row, err)
				}
				continue
			}
			res.Each(func(string, any) {})
		}
	})
}

// seeds are the corpus's smaller documents, one of a kind and name's first word.
func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	return smallDocuments(tb, "testdata/corpus", 6000)
}
