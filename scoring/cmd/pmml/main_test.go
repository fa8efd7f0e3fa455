package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const model = `<PMML version="4.4"><DataDictionary><DataField name="WOB__mean__60s" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="WOB__mean__60s"/><MiningField name="y" usageType="target"/></MiningSchema>
<RegressionTable intercept="1"><NumericPredictor name="WOB__mean__60s" coefficient="2"/></RegressionTable></RegressionModel></PMML>`

func TestThePmmlToolSaysWhatAStrangerNeeds(t *testing.T) {
	dir := t.TempDir()
	file := func(name, doc string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old, other := file("a.pmml", model), file("b.pmml", strings.Replace(model, `coefficient="2"`, `coefficient="3"`, 1))
	broken := file("c.pmml", strings.Replace(model, `<NumericPredictor name="WOB__mean__60s"`, `<NumericPredictor name="WOB_mean"`, 1))
	f := func(want, rows string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		if err := run(args, strings.NewReader(rows), &out); err != nil {
			out.WriteString(err.Error())
		}
		for _, w := range strings.Split(want, "|") {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%v: %s\nwant %s", args, out.String(), w)
			}
		}
	}
	rows := "{\"WOB__mean__60s\": 2}\n{\"WOB__mean__60s\": 0}\n{\"WOB__mean__60s\": \"x\"}\n"
	f("pmml inspect MODEL.pmml", "")
	f("pmml inspect MODEL.pmml", "", "--help")
	f("paint: no such command", "", "paint", old)
	f("diff wants 2 model files, not 1", "", "diff", old)
	f(`"Kind": "RegressionModel"`, "", "inspect", old)
	f("the document has no ModelVerification", "", "verify", old)
	f(`{"y":5}|{"y":1}|"field":"WOB__mean__60s"`, rows, "score", old)
	f("row 1: 5 = 1, by linear|+4  WOB__mean__60s|row 3: field \"WOB__mean__60s\": value \"x\" is invalid", rows, "explain", old)
	f("row 1  y: 5 -> 7|1 of 3 rows differ|largest difference of y: 2", rows, "diff", old, other)
	f("one by one|in batches|1 of 3 rows have errors", rows, "bench", old)
	f("line 1 is no JSON object", "2\n", "bench", old)
	f("there are no rows", "", "explain", old)
	f("c.pmml is refused:|line 3:32: NumericPredictor: field 'WOB_mean' is not declared here; nearest: 'WOB__mean__60s'", rows, "score", broken)
}
