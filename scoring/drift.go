package scoring

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Drift says how far the values that a model sees now are from those that it
// was made from: its ModelStats where the document has them, else the first
// values seen. Each field has at most 64 bins, so that a value costs one search
// among them. One goroutine.
type Drift struct {
	learn  int
	fields []driftField
	at     map[string]int
}

// driftField is a field's bins; exported fields are its snapshot.
type driftField struct {
	Name   string
	Text   bool
	Edges  []float64 // numbers: bin i ends at edge i; the last bin has no end
	Closed bool      // at an edge is below it
	Words  []string  // texts: a bin each, and one for all others
	Before []float64 // by bin, then missing: counts of the baseline; nil: being learned
	Now    []float64
	From   string    // where Before is from
	First  []float64 // numbers being learned
	Gone   float64   // missing values met while learning
	words  map[string]int
}

// FieldDrift is how far one field has drifted.
type FieldDrift struct {
	Name     string  `json:"name"`
	Baseline string  `json:"baseline"` // "ModelStats", "first values"; "" still learning
	Values   float64 `json:"values"`   // seen since
	// PSI is the population stability index, Σ(a-e)·ln(a/e) over bins of shares a
	// now and e before, each at least 0.0001. By custom 0.1 is a shift, 0.25 a large one.
	PSI float64 `json:"psi"`
	// JS is Jensen and Shannon's divergence in bits: 0 the same, 1 nothing in common.
	JS            float64 `json:"js"`
	Missing       float64 `json:"missing"`        // share of missing values
	MissingBefore float64 `json:"missing_before"` // NaN is written as -1: not known
}

const (
	maxDriftBins = 64
	learnedBins  = 10
	leastShare   = 1e-4 // of a bin, in the index: an empty one would make it infinite
)

// NewDrift watches the model's inputs. A field that ModelStats does not describe
// learns its baseline from its first learn values, at least 50.
func (m *Model) NewDrift(learn int) *Drift {
	d := &Drift{learn: max(learn, 50), at: map[string]int{}}
	for i, f := range m.inputs {
		x := driftField{Name: f.Name, Text: f.Text()}
		if s, ok := m.stats[f.Name]; ok {
			x = s
			x.Name = f.Name
			x.Now = make([]float64, len(x.Before))
		}
		x.index()
		d.fields = append(d.fields, x)
		d.at[f.Name] = i
	}
	return d
}

func (x *driftField) index() {
	x.words = map[string]int{}
	for i, w := range x.Words {
		x.words[w] = i
	}
}

// Number counts a value of an input, counted as Model.Inputs does; NaN is missing.
func (d *Drift) Number(input int, v float64) {
	x := &d.fields[input]
	switch {
	case x.Text && isWhole(v):
		d.Text(input, whole(v).lexical())
	case x.Text && v == v:
		d.Text(input, num(v).lexical())
	case x.Before != nil:
		x.Now[x.bin(v)]++
	case v != v:
		x.Gone++
	default:
		if x.First = append(x.First, v); len(x.First) >= d.learn {
			x.learned()
		}
	}
}

// Text counts a value of an input.
func (d *Drift) Text(input int, s string) {
	x := &d.fields[input]
	if !x.Text {
		v, ok := parseNumber(s)
		if !ok {
			v = nan
		}
		d.Number(input, v)
		return
	}
	if x.Before != nil {
		i, ok := x.words[s]
		if !ok {
			i = len(x.Words)
		}
		x.Now[i]++
		return
	}
	i, ok := x.words[s]
	if !ok && len(x.Words) < maxDriftBins {
		i, ok = len(x.Words), true
		x.words[s] = i
		x.Words, x.Now = append(x.Words, s), append(x.Now, 0)
	}
	n := 1.0
	if ok {
		x.Now[i]++
	}
	for _, c := range x.Now {
		n += c
	}
	if int(n) > d.learn {
		x.Before = append(x.Now, 0, x.Gone) // all others, missing
		x.Now, x.From = make([]float64, len(x.Before)), fromFirst
	}
}

const (
	fromStats = "ModelStats"
	fromFirst = "first values"
)

// Batch counts all inputs of a batch.
func (d *Drift) Batch(b *Batch) {
	for j := range b.in {
		for i := range b.rows {
			switch v := b.in[j].value(i); v.k {
			case text:
				d.Text(j, v.s)
			case missing:
				d.Number(j, nan)
			default:
				d.Number(j, v.f)
			}
		}
	}
}

// bin is where a number falls; missing is the last.
func (x *driftField) bin(v float64) int {
	if v != v {
		return len(x.Before) - 1
	}
	if x.Closed {
		return sort.Search(len(x.Edges), func(i int) bool { return v <= x.Edges[i] })
	}
	return sort.Search(len(x.Edges), func(i int) bool { return v < x.Edges[i] })
}

// learned makes bins of equal shares of the first values.
func (x *driftField) learned() {
	v := slices.Clone(x.First)
	slices.Sort(v)
	for i := 1; i < learnedBins; i++ {
		if e := v[i*len(v)/learnedBins-1]; len(x.Edges) == 0 || e > x.Edges[len(x.Edges)-1] {
			x.Edges = append(x.Edges, e)
		}
	}
	x.Closed = true
	x.Before = make([]float64, len(x.Edges)+2)
	for _, f := range v {
		x.Before[x.bin(f)]++
	}
	x.Before[len(x.Before)-1] = x.Gone
	x.Now, x.First, x.From = make([]float64, len(x.Before)), nil, fromFirst
}

// Fade takes a share of what was counted, 0 to 1, out of it: called now and
// then, it makes the newest values count most.
func (d *Drift) Fade(share float64) {
	for i := range d.fields {
		if x := &d.fields[i]; x.Before != nil {
			for j := range x.Now {
				x.Now[j] *= 1 - share
			}
		}
	}
}

// Report says how far each input has drifted, in the order of Model.Inputs.
func (d *Drift) Report() []FieldDrift {
	var out []FieldDrift
	for i := range d.fields {
		x := &d.fields[i]
		f := FieldDrift{Name: x.Name, Baseline: x.From}
		if x.Before != nil {
			before, now := x.Before, x.Now
			last := len(before) - 1
			f.Values = sum(now)
			if f.MissingBefore = -1; before[last] >= 0 {
				f.MissingBefore = before[last] / sum(before)
			} else { // how many were missing is not known: compare the others
				before, now = before[:last], now[:last]
			}
			if f.Values > 0 {
				f.Missing = x.Now[last] / f.Values
				f.PSI, f.JS = stability(before, now), divergence(before, now)
			}
		}
		out = append(out, f)
	}
	return out
}

// stability is the population stability index of two counts by bin.
func stability(before, now []float64) float64 {
	e, a := sum(before), sum(now)
	if e == 0 || a == 0 {
		return 0
	}
	psi := 0.0
	for i := range before {
		p, q := max(before[i]/e, leastShare), max(now[i]/a, leastShare)
		psi += (q - p) * math.Log(q/p)
	}
	return psi
}

// divergence is Jensen and Shannon's, in bits.
func divergence(before, now []float64) float64 {
	e, a := sum(before), sum(now)
	if e == 0 || a == 0 {
		return 0
	}
	js := 0.0
	part := func(p, m float64) {
		if p > 0 {
			js += p * math.Log2(p/m) / 2
		}
	}
	for i := range before {
		p, q := before[i]/e, now[i]/a
		part(p, (p+q)/2)
		part(q, (p+q)/2)
	}
	return max(js, 0)
}

// MarshalJSON is a snapshot of baselines and counts.
func (d *Drift) MarshalJSON() ([]byte, error) { return json.Marshal(d.fields) }

// UnmarshalJSON takes a snapshot's fields over where the model still has them
// and they are of the same type.
func (d *Drift) UnmarshalJSON(b []byte) error {
	var fields []driftField
	if err := json.Unmarshal(b, &fields); err != nil {
		return fmt.Errorf("read a drift snapshot: %w", err)
	}
	for _, x := range fields {
		want := len(x.Edges) + 2
		if x.Text {
			want = len(x.Words) + 2
		}
		if x.Before != nil && (len(x.Before) != want || len(x.Now) != want) || x.Before == nil && len(x.Now) != len(x.Words) || len(x.First) > 1<<20 || !slices.IsSorted(x.Edges) {
			return fmt.Errorf("read a drift snapshot: field %q has %d bins and %d counts", clip(x.Name), len(x.Before), len(x.Now))
		}
		x.index()
		if i, ok := d.at[x.Name]; ok && d.fields[i].Text == x.Text {
			d.fields[i] = x
		}
	}
	return nil
}

// statistics reads ModelStats, PMML 4.4.1, Univariate Statistics: ContStats and
// DiscrStats by their bins, NumericInfo by its quantiles.
func statistics(e *element) map[string]driftField {
	out := map[string]driftField{}
	for _, k := range e.first("ModelStats").all("UnivariateStats") {
		x := driftField{From: fromStats}
		gone := -1.0 // how many are missing: not known
		counts := k.first("Counts")
		if f, ok := parseNumber(counts.attribute("missingFreq")); ok && f >= 0 {
			gone = f
		}
		total, _ := parseNumber(counts.attribute("totalFreq"))
		if x.intervals(k.first("ContStats")) || x.discrete(k.first("DiscrStats")) || x.quantiles(k.first("NumericInfo"), total-max(gone, 0)) {
			x.Before = append(x.Before, gone)
			out[k.get("field")] = x
		}
	}
	return out
}

func (x *driftField) intervals(e *element) bool {
	spans := e.all("Interval")
	a := e.first("Array")
	if a == nil || len(spans) == 0 || len(spans) > maxDriftBins-2 {
		return false
	}
	n := splitArray(a.text)
	if len(n) != len(spans) {
		return false
	}
	x.Closed = spans[0].get("closure") == "openClosed" || spans[0].get("closure") == "closedClosed"
	low, ok := parseNumber(spans[0].get("leftMargin"))
	x.Before = nil
	if ok && !math.IsInf(low, 0) {
		x.Edges, x.Before = append(x.Edges, low), append(x.Before, 0)
	}
	for i, s := range spans {
		c, fine := parseNumber(n[i])
		high, has := parseNumber(s.get("rightMargin"))
		if !fine || c < 0 || !has && i < len(spans)-1 || has && len(x.Edges) > 0 && !(high > x.Edges[len(x.Edges)-1]) {
			*x = driftField{From: x.From}
			return false
		}
		x.Before = append(x.Before, c)
		if has && !math.IsInf(high, 0) {
			x.Edges = append(x.Edges, high)
		}
	}
	if len(x.Before) == len(x.Edges) {
		x.Before = append(x.Before, 0) // beyond the last
	}
	return sum(x.Before) > 0
}

func (x *driftField) discrete(e *element) bool {
	arrays := e.all("Array")
	if len(arrays) != 2 {
		return false
	}
	words, n := splitArray(arrays[0].text), splitArray(arrays[1].text)
	if len(words) != len(n) || len(words) == 0 || len(words) > maxDriftBins-2 {
		return false
	}
	x.Text = true
	for i, w := range words {
		c, ok := parseNumber(n[i])
		if !ok || c < 0 {
			*x = driftField{From: x.From}
			return false
		}
		x.Words, x.Before = append(x.Words, w), append(x.Before, c)
	}
	x.Before = append(x.Before, 0) // all others
	return true
}

// quantiles are limits in percent; between two of them lies their difference.
func (x *driftField) quantiles(e *element, total float64) bool {
	type quantile struct{ limit, at float64 }
	var all []quantile
	for _, k := range e.all("Quantile") {
		l, ok := parseNumber(k.get("quantileLimit"))
		v, fine := parseNumber(k.get("quantileValue"))
		if !ok || !fine || l < 0 || l > 100 {
			return false
		}
		all = append(all, quantile{l, v})
	}
	if len(all) == 0 || len(all) > maxDriftBins-2 {
		return false
	}
	if !(total > 0) {
		total = 100
	}
	sort.Slice(all, func(i, j int) bool { return all[i].limit < all[j].limit })
	x.Closed = true
	before := 0.0
	for _, q := range all {
		share := (q.limit - before) / 100 * total
		if n := len(x.Edges); n > 0 && q.at <= x.Edges[n-1] { // values alike: one bin
			x.Before[n-1] += share
		} else {
			x.Edges, x.Before = append(x.Edges, q.at), append(x.Before, share)
		}
		before = q.limit
	}
	x.Before = append(x.Before, (100-before)/100*total)
	return true
}
