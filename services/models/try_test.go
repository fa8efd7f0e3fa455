package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

// shelf keeps blobs in memory.
type shelf map[string][]byte

func (s shelf) Put(_ context.Context, b []byte) (string, error) {
	k := fmt.Sprintf("%064x", len(s)+1)
	for sha, have := range s {
		if string(have) == string(b) {
			k = sha
		}
	}
	s[k] = b
	return k, nil
}
func (s shelf) Fetch(_ context.Context, k string) ([]byte, error) { return s[k], nil }

func registry(t *testing.T) *Registry {
	t.Helper()
	db, err := relational.Open(t.Context(), filepath.Join(t.TempDir(), "m.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	clock := telemetry.NewManualClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	out := outbox.New(db, nil, telemetry.NewTopics(telemetry.DefaultPrefix), log)
	return New(db, shelf{}, PMML{}, telemetry.DefaultCatalogue(), nil, clock, out, log)
}

// A tree over SPP, in which what is between the braces is put.
func tree(dataField, rows string) []byte {
	v := ""
	if rows != "" {
		v = `<ModelVerification><VerificationFields><VerificationField field="SPP" column="SPP"/><VerificationField field="y" column="y"/></VerificationFields><InlineTable>` + rows + `</InlineTable></ModelVerification>`
	}
	return []byte(`<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="SPP" optype="continuous" dataType="double">` + dataField + `</DataField><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<TreeModel modelName="wash" functionName="regression"><MiningSchema><MiningField name="SPP"/><MiningField name="y" usageType="target"/></MiningSchema>
<Output><OutputField name="health_hydraulics" feature="predictedValue" dataType="double" optype="continuous"/></Output>
<Node score="90"><True/><Node score="20"><SimplePredicate field="SPP" operator="lessThan" value="15"/></Node><Node score="90"><SimplePredicate field="SPP" operator="greaterOrEqual" value="15"/></Node></Node>` + v + `</TreeModel></PMML>`)
}

const good = `<row><SPP>10</SPP><y>20</y></row><row><SPP>22</SPP><y>90</y></row>`

func problems(t *testing.T, err error) string {
	t.Helper()
	var no *Refused
	if !errors.As(err, &no) {
		t.Fatalf("not refused: %v", err)
	}
	var all []string
	for _, p := range no.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "\n")
}

func TestAModelIsRefusedWithEveryReasonAtOnce(t *testing.T) {
	r := registry(t)
	r.limits.Row = 1 // ns: nothing is so quick
	psi := `<Extension extender="mudpulse" name="unit" value="psi"/>`
	_, err := r.Upload(t.Context(), Upload{PMML: tree(psi, `<row><SPP>1500</SPP><y>20</y></row><row><SPP>3200</SPP><y>90</y></row>`), By: "E. Haddad",
		Rows: []byte("SPP,y,TQ\n10,20,1\n30,91,1\n")})
	got := problems(t, err)
	for _, want := range []string{
		"1 of 2 verification rows fail", "y should be 20 and comes out as 90",
		"SPP: is declared in psi and comes in MPa", "value - 0) / 0.00689476",
		"is too slow: ",
		"1 of your 2 rows come out otherwise; the worst is line 3: y should be 91 and comes out as 90; it does not read the columns TQ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no word of %q in\n%s", want, got)
		}
	}
	if m, err := r.List(t.Context()); err != nil || len(m) != 0 {
		t.Errorf("kept all the same: %v %v", m, err)
	}
}

func TestUnitsAreHeldAgainstTheChannels(t *testing.T) {
	f := func(dataField, rows, wantProblem, wantDoubt string) {
		t.Helper()
		r := registry(t)
		v, err := r.Upload(t.Context(), Upload{PMML: tree(dataField, rows), By: "E. Haddad"})
		if wantProblem != "" {
			if got := problems(t, err); !strings.Contains(got, wantProblem) {
				t.Errorf("no word of %q in\n%s", wantProblem, got)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range v.About.Checks {
			if c.Name == "units" && (c.OK != (wantDoubt == "") || !strings.Contains(c.Detail, wantDoubt)) {
				t.Errorf("%+v, want %q", c, wantDoubt)
			}
		}
	}
	unit := func(u string) string { return `<Extension extender="mudpulse" name="unit" value="` + u + `"/>` }
	f("", good, "", "")
	f(unit("MPa"), good, "", "")
	f(unit("kPa"), "", "is declared in kPa and comes in MPa", "")
	f(unit("°C"), "", `is declared in "°C", which is no unit of standpipe pressure (MPa)`, "")
	f(unit("furlong"), "", `is declared in "furlong"`, "")
	f("", `<row><SPP>1500</SPP><y>90</y></row>`, "takes values from 1500 to 1500 in its own rows, and standpipe pressure is -1 to 150 MPa at most; they look like psi", "")
	f("", `<row><SPP>45</SPP><y>90</y></row>`, "", "10 to 30 MPa is usual")
}

func TestOwnRowsMustComeOutAsTheySay(t *testing.T) {
	f := func(rows, want string) {
		t.Helper()
		r := registry(t)
		v, err := r.Upload(t.Context(), Upload{PMML: tree("", good), Rows: []byte(rows), By: "E. Haddad"})
		if err != nil {
			if got := problems(t, err); !strings.Contains(got, want) {
				t.Errorf("no word of %q in\n%s", want, got)
			}
			return
		}
		for _, c := range v.About.Checks {
			if c.Name == "own rows" && strings.Contains(c.Detail, want) {
				return
			}
		}
		t.Errorf("taken, without %q: %+v", want, v.About.Checks)
	}
	f("SPP,y\n10,20\n22,90\n", "2 of your rows agree to 0.0e+00 relative")
	f("SPP,health_hydraulics\n10,20\n22,\n", "2 of your rows agree")
	f("SPP,y,tolerance\n10,21,0.1\n22,90,0\n", "2 of your rows agree to 4.8e-02")
	f("SPP,y\n10,21\n", "1 of your 1 rows come out otherwise; the worst is line 2: y should be 21 and comes out as 20")
	f("SPP\n10\n", "say nothing of what should come out; add a column called as one of its outputs: y, health_hydraulics")
	f("SPP,y\nten,20\n", `line 2: SPP: "ten" is no number`)
	f("SPP,y\n10\n", "wrong number of fields")
	f("SPP,y\n", "there are none below the head")
}

func TestAbuseFindsWhatIsInfinite(t *testing.T) {
	pmml := strings.Replace(string(tree("", "")), `feature="predictedValue" dataType="double" optype="continuous"/>`,
		`feature="transformedValue" dataType="double" optype="continuous"><Apply function="exp"><Apply function="*"><Constant>1000</Constant><FieldRef field="SPP"/></Apply></Apply></OutputField>`, 1)
	_, err := registry(t).Upload(t.Context(), Upload{PMML: []byte(pmml), By: "E. Haddad"})
	if got := problems(t, err); !strings.Contains(got, "health_hydraulics: is infinite in 256 of 256 rows of usual values") {
		t.Error(got)
	}
}

func TestAModelThatIsTooLargeIsRefused(t *testing.T) {
	r := registry(t)
	r.limits.Memory = 1
	_, err := r.Upload(t.Context(), Upload{PMML: tree("", good), By: "E. Haddad"})
	if got := problems(t, err); !strings.Contains(got, "is too large: it holds 0.") {
		t.Error(got)
	}
}

// What comes with the program is not tried at its start: here it is, and the library with it.
func TestTheDefaultModelsPassTheGate(t *testing.T) {
	files, err := filepath.Glob("../../simulators/models/*.pmml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	more, err := filepath.Glob("../../simulators/models/library/*.pmml")
	if err != nil || len(more) == 0 {
		t.Fatal(more, err)
	}
	r := registry(t)
	for files = append(files, more...); len(files) > 0; {
		var left []string
		var why []error
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			v, err := r.Upload(t.Context(), Upload{File: file, Name: NameFrom(file), PMML: b, By: "E. Haddad"})
			if err != nil { // one that reads another's output comes after it
				left, why = append(left, file), append(why, err)
				continue
			}
			t.Logf("%s %+v", filepath.Base(file), v.About.Checks)
			i := slices.IndexFunc(v.About.Checks, func(c Check) bool { return c.Name == "verification" })
			if !strings.Contains(file, "library") && (i < 0 || !v.About.Checks[i].OK) {
				t.Errorf("%s is switched on at the start and brings nothing that shows it scores here as where it was trained: %+v", file, v.About.Checks)
			}
		}
		if len(left) == len(files) {
			t.Fatalf("refused: %v", why)
		}
		files = left
	}
}

func TestADocumentOfSeveralModelsSaysWhichIsScored(t *testing.T) {
	one := string(tree("", good))
	from, to := strings.Index(one, "<TreeModel"), strings.Index(one, "</PMML>")
	about, err := PMML{}.Read([]byte(one[:to] + strings.Replace(one[from:to], `modelName="wash"`, `modelName="other"`, 1) + one[to:]))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(about.Checks, func(c Check) bool { return c.Name == "models" })
	if about.ModelName != "wash" || i < 0 || about.Checks[i].OK || !strings.Contains(about.Checks[i].Detail, "2 models side by side: the first is scored") {
		t.Errorf("%s: %+v", about.ModelName, about.Checks)
	}
	if about, err = (PMML{}).Read([]byte(one)); err != nil || slices.ContainsFunc(about.Checks, func(c Check) bool { return c.Name == "models" }) {
		t.Errorf("a document of one model: %v, %+v", err, about.Checks)
	}
}
