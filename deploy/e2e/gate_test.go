//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/services/client"
)

var shift = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// wash is a model that finds a standpipe pressure below a limit unwell. field goes into
// its input's declaration, rows into its verification, heavy makes each row cost something.
func wash(limit float64, field, rows string, heavy int) string {
	v := ""
	if rows != "" {
		v = `<ModelVerification><VerificationFields><VerificationField field="SPP" column="SPP"/><VerificationField field="y" column="y"/></VerificationFields><InlineTable>` + rows + `</InlineTable></ModelVerification>`
	}
	work := ""
	if heavy > 0 {
		work = `<OutputField name="work" feature="transformedValue" dataType="double" optype="continuous"><Apply function="sum">` + strings.Repeat(`<Apply function="exp"><FieldRef field="SPP"/></Apply>`, heavy) + `</Apply></OutputField>`
	}
	return fmt.Sprintf(`<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="SPP" optype="continuous" dataType="double">%s</DataField><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<TreeModel modelName="wash" functionName="regression"><MiningSchema><MiningField name="SPP"/><MiningField name="y" usageType="target"/></MiningSchema>
<Output><OutputField name="health_hydraulics" feature="predictedValue" dataType="double" optype="continuous"/>%s</Output>
<Node score="90"><True/><Node score="20"><SimplePredicate field="SPP" operator="lessThan" value="%g"/></Node><Node score="90"><SimplePredicate field="SPP" operator="greaterOrEqual" value="%[3]g"/></Node></Node>%s</TreeModel></PMML>`, field, work, limit, v)
}

// What is on record on three drills: on A the pressure falls from 06:00 to its failure at
// 12:00, on B it dips for an hour, on C it holds.
func pressure(drill string, minute int) float64 {
	switch {
	case drill == "A" && minute >= 360 && minute < 720:
		return 22 - float64(minute-360)/30
	case drill == "B" && minute >= 600 && minute < 660:
		return 17.5
	}
	return 22
}

// One worse version and one bad one, on the running product and on what it has stored.
func TestAWorseVersionIsToldHeldBackAndTakenBack(t *testing.T) {
	p := run(t, filepath.Join(t.TempDir(), ".data"), nil)
	dir := filepath.Dir(p.dir)
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stored := int64(0)
	bring := func(drill string, from, to int) { // minutes of the shift
		t.Helper()
		var b strings.Builder
		b.WriteString("time,SPP\n")
		for m := from; m < to; m++ {
			fmt.Fprintf(&b, "%s,%g\n", shift.Add(time.Duration(m)*time.Minute).Format(time.RFC3339), pressure(drill, m))
		}
		p.cli("import", file(fmt.Sprintf("%s-%d.csv", drill, from), b.String()), "--drill", drill)
		stored += int64(to - from)
		harness.Wait(t, 240*time.Second, "imported frames at every stage", func() bool { return p.totals().all(stored) })
	}
	refused := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(harness.Bin(t, "mudpulse"), append(args, "--data", p.dir)...).CombinedOutput()
		if err == nil {
			t.Errorf("mudpulse %s was not refused:\n%s", strings.Join(args, " "), out)
		}
		return string(out)
	}
	says := func(what, out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no word of %q in\n%s", what, w, out)
			}
		}
	}
	c := client.New(p.addresses["http"], p.token)
	rules := json.RawMessage(`{"rules":[{"id":"washout","kind":"model","title":"Wash-out","subsystem":"hydraulics","priority":2,"signal":"wash.health_hydraulics","op":"<","limit":50,"reason":"is {value}","advice":"look"},
{"id":"washout-limit","kind":"limit","title":"Pressure low","subsystem":"hydraulics","priority":3,"signal":"SPP","op":"<","limit":14,"under":["washout"],"reason":"is {value}","advice":"look"}]}`)
	if err := c.Send(context.Background(), "PUT", "/rules?untried=true&note=the+first+of+this+well", rules, nil); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"A", "B", "C"} {
		bring(d, 0, 780)
	}
	at := func(h int) string { return shift.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
	p.cli("labels", "import", file("labels.csv", "drill,kind,from,to,value\nA,washout,"+at(6)+","+at(12)+",\n"))

	// The first version goes on; a deaf and nervous one is told by how much and on which failures, and held back.
	p.cli("model", "push", file("wash1.pmml", wash(16, "", "", 0)), "--name", "wash")
	first := p.cli("model", "promote", "wash")
	bring("C", 780, 790)
	out := p.cli("model", "push", file("wash2.pmml", wash(5, "", "", 0)), "--name", "wash")
	says("the report", out, "it misses 1 failure that wash 1 warned of: A, washout, 2026-03-02 (3.0 h ahead)", "plain limits alone warn of 1 of 1 failures, it of 0")
	says("promoting it", refused("model", "promote", "wash", "--version", "2"), "it misses 1 failure that wash 1 warned of: A, washout, 2026-03-02 (3.0 h ahead)")
	bring("C", 790, 800)
	second := p.cli("model", "promote", "wash", "--version", "2", "--override", "A is scrapped in March")
	bring("C", 800, 810)
	back := p.cli("model", "rollback", "wash")
	bring("C", 810, 820)

	// Scores change from the markers on, and who decided is one question.
	db, err := pgx.Connect(context.Background(), "postgres://admin:"+p.token+"@"+p.addresses["sql"]+"/mudpulse")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	ask := func(query string) (out []string) {
		t.Helper()
		rows, err := db.Query(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			out = append(out, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := []string{"13:00 to 13:19: wash@1", "13:20 to 13:29: wash@2", "13:30 to 13:39: wash@1"}
	got := ask(`SELECT strftime(min(tick), '%H:%M') || ' to ' || strftime(max(tick), '%H:%M') || ': ' || model FROM
		(SELECT tick, model, minute(tick) // 10 AS ten FROM outputs WHERE drill = 'C' AND model LIKE 'wash@%') GROUP BY model, CASE ten WHEN 1 THEN 0 ELSE ten END ORDER BY 1`)
	if !slices.Equal(got, want) {
		t.Errorf("scores of C by version: %q, want %q", got, want)
	}
	want = []string{"1 on until", "2 on until", "1 on still"}
	got = ask(`SELECT version::VARCHAR || ' ' || role || CASE WHEN until IS NULL THEN ' still' ELSE ' until' END FROM decided WHERE model = 'wash' ORDER BY since`)
	if !slices.Equal(got, want) {
		t.Errorf("who decided: %q, want %q", got, want)
	}
	marker := regexp.MustCompile(`from marker (\S+)`)
	ids := map[string]bool{}
	for _, out := range []string{first, second, back} {
		m := marker.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("names no marker: %s", out)
		}
		ids[strings.Trim(m[1], ".,")] = true
	}
	var log struct {
		Switches []struct{ Marker, Reason string }
	}
	if err := p.get("/api/v1/models/wash/switches", &log); err != nil {
		t.Fatal(err)
	}
	reason := false
	for _, a := range log.Switches {
		delete(ids, a.Marker)
		reason = reason || a.Reason == "A is scrapped in March"
	}
	if !reason {
		t.Errorf("why the worse version went on is not on record: %+v", log)
	}
	if len(ids) > 0 {
		t.Errorf("markers that are not on record: %v", ids)
	}
	var decided struct{ Version int }
	if err := p.get("/api/v1/models/wash/decided?drill=C", &decided); err != nil || decided.Version != 1 {
		t.Errorf("decided by %+v, %v", decided, err)
	}

	// Verification, unit and speed: every reason in one answer.
	psi := `<Extension extender="mudpulse" name="unit" value="psi"/>`
	bad := file("bad.pmml", wash(15, psi, `<row><SPP>1500</SPP><y>20</y></row><row><SPP>3200</SPP><y>90</y></row>`, 12_000))
	says("a bad model", refused("model", "push", bad, "--name", "wash"), "1 of 2 verification rows fail", "y should be 20 and comes out as 90", "SPP: is declared in psi and comes in MPa", "is too slow: ")
	p.Stop()
}
