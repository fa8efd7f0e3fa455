package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A Gap is a known difference, described so narrowly that a fault of another
// kind does not pass for it: all that is given must hold. Every text is a
// regular expression.
type Gap struct {
	Why   string `json:"why"`   // a heading's id in docs/pmml-semantics.md
	Kind  string `json:"kind"`  // of models, as Info.Kind has it
	Case  string `json:"case"`  // <Kind>/<name>
	Row   string `json:"row"`   // the row's JSON
	Uses  string `json:"uses"`  // the differing output's OutputField, or, of another value or the whole row, the document
	Words string `json:"words"` // JPMML's message, where it fails and we do not
	Ours  string `json:"ours"`  // our message, where we fail and it does not
	At    string `json:"at"`    // which value
	Want  string `json:"want"`  // JPMML's value, as JSON
	Got   string `json:"got"`   // ours, as JSON
	Check string `json:"check"` // the name of a function below
	re    map[*string]*regexp.Regexp
}

// Gaps are all of them.
type Gaps []Gap

// Known reads root/gaps.json.
func Known(root string) (Gaps, error) {
	b, err := os.ReadFile(filepath.Join(root, "gaps.json"))
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	var all Gaps
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("gaps.json: %w", err)
	}
	for i := range all {
		g := &all[i]
		g.re = map[*string]*regexp.Regexp{}
		for _, p := range g.texts() {
			if *p == "" {
				continue
			}
			if g.re[p], err = regexp.Compile(*p); err != nil {
				return nil, fmt.Errorf("gaps.json, %s: %w", g.Why, err)
			}
		}
		if _, ok := checks[g.Check]; !ok && g.Check != "" {
			return nil, fmt.Errorf("gaps.json, %s: check %q is none", g.Why, g.Check)
		}
		if g.Words == "" && g.Ours == "" && g.Want == "" && g.Check == "" {
			return nil, fmt.Errorf("gaps.json, %s: want one of words, ours, want and check: any difference would pass", g.Why)
		}
	}
	return all, nil
}

func (g *Gap) texts() []*string {
	return []*string{&g.Kind, &g.Case, &g.Row, &g.Uses, &g.Words, &g.Ours, &g.At, &g.Want, &g.Got}
}

// A Diff is one value, or the whole row, that the engines answer differently.
type Diff struct {
	At, Name    string // y#probability.a of y; "" the whole row
	Words, Ours string // JPMML's message, ours; "" where that engine answers
	Want, Got   any
}

func (d Diff) String() string {
	at := d.At
	if at != "" {
		at += ": "
	}
	switch {
	case d.Words != "":
		return fmt.Sprintf("%sJPMML does not answer (%s), we do and no note says why: %s", at, d.Words, spelled(d.Got))
	case d.Ours != "":
		return at + "JPMML answers, we do not: " + d.Ours
	}
	return fmt.Sprintf("%swant %s, got %s", at, spelled(d.Want), spelled(d.Got))
}

func spelled(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// An Asked is a row of a case and who can be asked about it again.
type Asked struct {
	Case   *Case
	Kind   string // of the model
	Row    []byte
	Theirs Answer
	Ours   func(row []byte) (Answer, error)
}

// Explains is why the engines differ there; "" unknown.
func (all Gaps) Explains(a *Asked, d Diff) string {
	for i := range all {
		if all[i].holds(a, d) {
			return all[i].Why
		}
	}
	return ""
}

// ExplainsAll is why they differ everywhere in a row, the first reason; "" where one difference is unknown.
func (all Gaps) ExplainsAll(a *Asked, diffs []Diff) string {
	first := ""
	for _, d := range diffs {
		why := all.Explains(a, d)
		if why == "" {
			return ""
		}
		if first == "" {
			first = why
		}
	}
	return first
}

func (g *Gap) holds(a *Asked, d Diff) bool {
	if (d.Words != "") != (g.Words != "") || (d.Ours != "") != (g.Ours != "") {
		return false
	}
	for p, text := range map[*string]string{
		&g.Kind: a.Kind, &g.Case: a.Case.Name, &g.Row: string(a.Row), &g.Words: d.Words, &g.Ours: d.Ours, &g.At: d.At,
	} {
		if r := g.re[p]; r != nil && !r.MatchString(text) {
			return false
		}
	}
	if r := g.re[&g.Uses]; r != nil && !r.MatchString(a.Case.speaksOf(d.At)) {
		return false
	}
	if r := g.re[&g.Want]; r != nil && !r.MatchString(spelled(d.Want)) {
		return false
	}
	if r := g.re[&g.Got]; r != nil && !r.MatchString(spelled(d.Got)) {
		return false
	}
	return g.Check == "" || checks[g.Check](a, d)
}

// speaksOf is the OutputField of that name, or the document.
func (c *Case) speaksOf(name string) string {
	at := regexp.MustCompile(`(?s)<OutputField [^>]*name="` + regexp.QuoteMeta(name) + `"[^>]*>`).FindIndex(c.Document)
	if name == "" || at == nil {
		return string(c.Document)
	}
	from, to := at[0], at[1]
	if c.Document[to-2] == '/' {
		return string(c.Document[from:to])
	}
	text := string(c.Document[from:])
	end := strings.Index(text, "</OutputField>")
	return text[:max(end, 0)]
}

// checks are what cannot be said by an expression.
var checks = map[string]func(*Asked, Diff) bool{
	"shorter-text": shorterText,
	"cancelled":    cancelled,
	"whole-minute": wholeMinute,
	"near-tie":     nearTie,
	"of-nan":       ofNaN,
	"reads-it":     readsIt,
	"one-minus":    oneMinus,

	"targets-of-zero": targetsOfZero,
}

// shorterText: both texts read back as the same float or double, and ours is the shortest that does.
func shorterText(_ *Asked, d Diff) bool {
	want, ok := d.Want.(string)
	got, too := d.Got.(string)
	if !ok || !too || len(got) > len(want) {
		return false
	}
	for _, bits := range []int{32, 64} {
		if bits == 32 && len(regexp.MustCompile(`E.*|[^0-9]`).ReplaceAllString(want, "")) > 9 { // no float has so many digits
			continue
		}
		x, err := strconv.ParseFloat(want, bits)
		y, bad := strconv.ParseFloat(got, bits)
		z, _ := strconv.ParseFloat(strconv.FormatFloat(y, 'g', -1, bits), 64)
		same, _ := strconv.ParseFloat(got, 64)
		if err == nil && bad == nil && x == y && z == same {
			return true
		}
	}
	return false
}

// cancelled: numbers, or their texts, that differ by less than four units in the last place of the row's largest number.
func cancelled(a *Asked, d Diff) bool {
	var row map[string]any
	if json.Unmarshal(a.Row, &row) != nil {
		return false
	}
	largest := 0.0
	for _, v := range row {
		if f, ok := numberOf(v); ok && !math.IsInf(f, 0) {
			largest = max(largest, math.Abs(f))
		}
	}
	x, ok := numberOf(d.Want)
	y, too := numberOf(d.Got)
	return ok && too && math.Abs(x-y) <= largest*0x1p-50
}

func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil
	}
	return 0, false
}

// wholeMinute: Java leaves seconds of 0 out.
func wholeMinute(_ *Asked, d Diff) bool {
	want, ok := d.Want.(string)
	got, too := d.Got.(string)
	return ok && too && regexp.MustCompile(`^([0-9-]+T)?[0-9]{2}:[0-9]{2}$`).MatchString(want) && got == want+":00"
}

// oneMinus: ours is nearer to the second of two shares than JPMML's, which it takes from 1.
func oneMinus(_ *Asked, d Diff) bool {
	x, ok := d.Want.(float64)
	y, too := d.Got.(float64)
	return ok && too && math.Abs(x-y) <= 0x1p-52
}

// targetsOfZero: JPMML's value is what the document's Target makes of 0, its sum of no segment.
func targetsOfZero(a *Asked, d Diff) bool {
	want, ok := d.Want.(float64)
	doc := string(a.Case.Document)
	target := regexp.MustCompile(`<Target [^>]*>`).FindString(doc)
	if !ok || target == "" || !regexp.MustCompile(`multipleModelMethod="(s|weightedS)um" missingPredictionTreatment="skipSegment"`).MatchString(doc) {
		return false
	}
	number := func(name string, other float64) float64 {
		if m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(target); m != nil {
			if f, err := strconv.ParseFloat(m[1], 64); err == nil {
				return f
			}
		}
		return other
	}
	made := min(max(0, number("min", math.Inf(-1))), number("max", math.Inf(1)))*number("rescaleFactor", 1) + number("rescaleConstant", 0)
	if m := regexp.MustCompile(`castInteger="([a-z]*)"`).FindStringSubmatch(target); m != nil {
		made = map[string]func(float64) float64{"round": func(f float64) float64 { return math.Floor(f + 0.5) }, "floor": math.Floor, "ceiling": math.Ceil}[m[1]](made)
	}
	return want == made
}

// ofNaN: JPMML chooses a class although a probability of it is NaN; we choose none, or one that is certain.
func ofNaN(a *Asked, d Diff) bool {
	if !strings.Contains(a.Theirs.String(), `"NaN"`) {
		return false
	}
	class, ok := d.Got.(string)
	if !ok {
		return d.Got == nil
	}
	ours, err := a.Ours(a.Row)
	return err == nil && strings.Contains(ours.String(), fmt.Sprintf("%q:1", class))
}

// readsIt: the output that fails reads the field that JPMML's message names, or an output that does.
func readsIt(a *Asked, d Diff) bool {
	m := regexp.MustCompile(`field "([^"]*)"|Field "([^"]*)"`).FindStringSubmatch(d.Words)
	if m == nil || d.Name == "" {
		return false
	}
	seen := map[string]bool{}
	var reads func(name string) bool
	reads = func(name string) bool {
		if seen[name] {
			return false
		}
		seen[name] = true
		text := a.Case.speaksOf(name)
		if text == string(a.Case.Document) {
			return false // no output
		}
		for _, f := range regexp.MustCompile(`field="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if f[1] == m[1]+m[2] || reads(f[1]) {
				return true
			}
		}
		return false
	}
	return reads(d.Name)
}

// nearTie: an input that is moved by so little as four units in its last place makes this engine answer as JPMML does.
func nearTie(a *Asked, d Diff) bool {
	var row map[string]any
	if json.Unmarshal(a.Row, &row) != nil {
		return false
	}
	for name, v := range row {
		f, ok := v.(float64)
		if !ok {
			continue
		}
		for _, by := range []int64{-4, -3, -2, -1, 1, 2, 3, 4} {
			row[name] = math.Float64frombits(uint64(int64(math.Float64bits(f)) + by))
			line, err := json.Marshal(row)
			if err != nil {
				continue // beyond the largest number
			}
			if ours, err := a.Ours(line); err == nil && spelled(value(ours, d.At)) == spelled(d.Want) {
				return true
			}
		}
		row[name] = f
	}
	return false
}

// value is what an answer says at a Diff's place: an output or target, or "target#detail".
func value(a Answer, at string) any {
	target, detail, ok := strings.Cut(at, "#")
	if !ok {
		return a[at]
	}
	all, _ := a["_targets"].(map[string]any)
	of, _ := all[target].(map[string]any)
	var v any = of
	for key := range strings.SplitSeq(detail, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}
