package models

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Limits are what one model may cost.
type Limits struct {
	Row    time.Duration `json:"row"`    // mean time of a row, where it is scored at every tick; one that is scored less often may take longer, to 50 times
	Memory int64         `json:"memory"` // bytes it holds once loaded
}

// DefaultLimits let a hundred models score twelve drills on one core.
func DefaultLimits() Limits { return Limits{Row: 200 * time.Microsecond, Memory: 512 << 20} }

// row is the limit of a model that is scored every so many seconds.
func (l Limits) row(every int64) time.Duration {
	return l.Row * time.Duration(min(max(every, 1), 50))
}

// A Trial is what a model is tried with.
type Trial struct {
	Inputs []Tested `json:"inputs"` // in the model's order
	Every  int64    `json:"every_s"`
	Rows   []byte   `json:"rows,omitempty"` // CSV: inputs and what should come out; nil: none
	Limits Limits   `json:"limits"`
}

// A Tested input is one that values are made up for.
type Tested struct {
	Low, High         float64 // usual
	PhysLow, PhysHigh float64 // that can be
	Texts             []string
}

// Tried is what came of it.
type Tried struct {
	Checks   []Check   `json:"checks"`
	Problems []Problem `json:"problems"`
}

// testOf says which values to make up for the inputs.
func testOf(about *About, cat Channels) []Tested {
	out := make([]Tested, len(about.Inputs))
	for i := range about.Inputs {
		in := &about.Inputs[i]
		t := Tested{Low: -3, High: 3, PhysLow: -1e6, PhysHigh: 1e6, Texts: in.Values}
		if ch := level(in, cat); ch != nil && ch.NormalLow < ch.NormalHigh {
			t.Low, t.High, t.PhysLow, t.PhysHigh = ch.NormalLow, ch.NormalHigh, ch.PhysLow, ch.PhysHigh
		}
		if len(in.Seen) == 2 {
			t.Low, t.High = in.Seen[0], in.Seen[1]
		}
		if in.Name == "state" {
			t.Texts = telemetry.States[:]
		}
		out[i] = t
	}
	return out
}

const (
	tryRows   = 256                    // at once; fewer of a model that is slow
	batchFor  = 20 * time.Millisecond  // that so many may take
	tryFor    = 100 * time.Millisecond // that its speed is measured
	abuseRows = 10_000
	abuseFor  = 5 * time.Second // no more rows are made up after it
)

// Try scores rows that are usual, absurd and missing, and the engineer's own.
func (PMML) Try(ctx context.Context, b []byte, t Trial) (Tried, error) {
	x, err := newTrial(b, t)
	if err != nil {
		return Tried{}, err
	}
	x.pace(ctx)
	for _, f := range []func(context.Context){x.abuse, x.speed, x.own} {
		if err := ctx.Err(); err != nil {
			return Tried{}, err
		}
		f(ctx)
	}
	return x.Tried, nil
}

func newTrial(b []byte, t Trial) (*trial, error) {
	before := heap()
	m, err := scoring.Load(bytes.NewReader(b), scoring.WithoutVerification())
	if err != nil {
		return nil, refusal(err)
	}
	x := &trial{Trial: t, m: m, held: max(int64(len(b)), heap()-before)}
	x.outputs = append(m.Targets(), m.Outputs()...)
	if len(t.Inputs) != len(m.Inputs()) {
		return nil, fmt.Errorf("BUG: %d inputs to test of %d", len(t.Inputs), len(m.Inputs()))
	}
	sum := m.Info().SHA256
	x.pcg = rand.NewPCG(binary.LittleEndian.Uint64([]byte(sum)), 1) // the same rows for the same model
	x.rng = rand.New(x.pcg)
	x.renew()
	return x, nil
}

// heap is what lives, after a collection.
func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

type trial struct {
	Trial
	Tried
	m       *scoring.Model
	s       *scoring.Scorer
	b       *scoring.Batch
	pcg     *rand.PCG
	rng     *rand.Rand // over pcg
	outputs []scoring.Field
	held    int64
	size    int           // rows at once
	worst   time.Duration // of a row of abuse
	rows    int
}

func (x *trial) problem(element, message, cure string) {
	x.Problems = append(x.Problems, Problem{Element: element, Message: message, Cure: cure})
}

func (x *trial) check(name string, ok bool, detail string) {
	x.Checks = append(x.Checks, Check{Name: name, OK: ok, Detail: detail})
}

func (x *trial) renew() {
	x.s = x.m.NewScorer()
	x.b = x.s.Batch(0)
}

// pace sets how many rows are scored at once, by the second of two: the first
// may make what is kept. A model that takes seconds for a row is refused like one
// that takes milliseconds, and not after minutes.
func (x *trial) pace(ctx context.Context) {
	state := *x.pcg
	x.size = tryRows
	for range 2 {
		*x.pcg = state
		x.b.Reset(1)
		x.set(0, func(int) kind { return usual })
		took, broke := x.run(ctx)
		if broke != "" {
			break // abuse tells
		}
		x.size = min(tryRows, max(1, int(batchFor/max(took, 1))))
		if took > abuseFor {
			break
		}
	}
	*x.pcg = state
}

// A kind is how the values of a row are made up.
type kind struct {
	name  string
	value func(rng *rand.Rand, t *Tested) float64
	text  func(rng *rand.Rand, t *Tested) string
}

func among(rng *rand.Rand, of []string) string {
	if len(of) == 0 {
		return ""
	}
	return of[rng.IntN(len(of))]
}

var usual = kind{"usual",
	func(rng *rand.Rand, t *Tested) float64 { return t.Low + (t.High-t.Low)*rng.Float64() },
	func(rng *rand.Rand, t *Tested) string { return among(rng, t.Texts) },
}

var missing = kind{"missing", func(*rand.Rand, *Tested) float64 { return math.NaN() }, func(*rand.Rand, *Tested) string { return "" }}

var absurd = kind{"absurd",
	func(rng *rand.Rand, t *Tested) float64 {
		return []float64{0, math.Copysign(0, -1), 1, -1, t.PhysLow, t.PhysHigh, 10 * t.PhysHigh, -10 * t.PhysHigh, -999.25, 1e-300, 5e-324, 1e30, -1e30,
			math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 1<<53 + 1}[rng.IntN(19)]
	},
	func(rng *rand.Rand, t *Tested) string {
		return []string{"", "nonsense", " ", "NaN", "-1", "ROTARY", strings.Repeat("x", 10_000), "\x00\xff", "日本"}[rng.IntN(9)]
	},
}

func (x *trial) set(row int, which func(input int) kind) {
	for i, f := range x.m.Inputs() {
		k, t := which(i), &x.Inputs[i]
		if f.Text() {
			if s := k.text(x.rng, t); s != "" {
				x.b.SetText(i, row, s)
			}
			continue
		}
		x.b.SetNumber(i, row, k.value(x.rng, t))
	}
}

// run scores the batch in hand; a panic is told, not passed on.
func (x *trial) run(ctx context.Context) (took time.Duration, broke string) {
	defer func() {
		if p := recover(); p != nil {
			broke = fmt.Sprint(p)
			x.renew()
		}
	}()
	if x.m.Stateful() {
		for i := range x.b.Rows() {
			x.b.SetKey(i, "trial")
		}
	}
	from := time.Now()
	if err := x.s.Run(ctx, x.b); err != nil {
		broke = err.Error()
	}
	x.rows += x.b.Rows()
	return time.Since(from), broke
}

// A tally counts what becomes of rows.
type tally struct {
	rows, errors, endless int
	broke, example, first string
}

func (x *trial) batch(ctx context.Context, n int, which func(row int) func(input int) kind, t *tally) {
	x.b.Reset(n)
	for r := range n {
		x.set(r, which(r))
	}
	took, broke := x.run(ctx)
	x.worst = max(x.worst, took/time.Duration(n))
	t.rows += n
	if broke != "" {
		t.broke = broke
		return
	}
	for r := range n {
		if err := x.b.Err(r); err != nil {
			if t.errors++; t.first == "" {
				t.first = err.Error()
			}
			continue
		}
		for o := range x.outputs {
			if v := x.b.Number(o, r); !x.b.IsText(o, r) && math.IsInf(v, 0) {
				t.endless++
				t.example = x.outputs[o].Name
				break
			}
		}
	}
}

// abuse scores rows with values missing and absurd: nothing may break, nothing
// endless may come of what is usual, and nothing may depend on the rows beside.
func (x *trial) abuse(ctx context.Context) {
	all := func(k kind) func(int) func(int) kind {
		return func(int) func(int) kind { return func(int) kind { return k } }
	}
	var sane, none, mad tally
	x.batch(ctx, x.size, all(usual), &sane)
	x.batch(ctx, 1, all(missing), &none)
	speaks := none.broke == "" && none.errors == 0 && x.says(0)
	mixed := func(odds float64, odd kind) func(int) func(int) kind {
		return func(int) func(int) kind {
			return func(int) kind {
				if x.rng.Float64() < odds {
					return odd
				}
				return usual
			}
		}
	}
	oneOdd := func(odd kind) func(int) func(int) kind {
		return func(row int) func(int) kind {
			return func(i int) kind {
				if i == row%len(x.Inputs) {
					return odd
				}
				return usual
			}
		}
	}
	from := time.Now()
	for i := 0; mad.rows < abuseRows && mad.broke == "" && (i < 4 && x.size > 1 || time.Since(from) < abuseFor); i++ {
		x.batch(ctx, x.size, []func(int) func(int) kind{oneOdd(missing), oneOdd(absurd), mixed(0.3, missing), mixed(0.5, absurd), all(absurd)}[i%5], &mad)
	}
	ok := true
	for _, t := range []*tally{&sane, &none, &mad} {
		if t.broke != "" {
			ok = false
			x.problem("", fmt.Sprintf("breaks on a row: %s", clip(t.broke)), "it would be stopped in service; say us which kind of model it is")
			break
		}
	}
	if sane.endless > 0 {
		ok = false
		x.problem(sane.example, fmt.Sprintf("is infinite in %d of %d rows of usual values", sane.endless, sane.rows), "look for a division by what may be 0, or a logarithm of it")
	}
	if sane.errors == sane.rows {
		ok = false
		x.problem("", fmt.Sprintf("gives no result for any of %d rows of usual values: %s", sane.rows, clip(sane.first)), "its own ModelVerification rows may lie outside what channels measure; see the inputs' units")
	}
	if odd := x.alone(ctx); odd != "" {
		ok = false
		x.problem(odd, "says another thing of the same row in another batch", "")
	}
	detail := fmt.Sprintf("%d rows with values missing, zero, out of range, infinite: no crash", sane.rows+none.rows+mad.rows)
	if mad.errors > 0 {
		detail += fmt.Sprintf("; %d give an error and no number, as “%s”", mad.errors, clip(mad.first))
	}
	if mad.endless > 0 {
		detail += fmt.Sprintf("; %d give something infinite", mad.endless)
	}
	if speaks {
		detail += "; it speaks even where all its inputs are missing (it is not asked then)"
	}
	if !ok {
		detail = "see the problems"
	}
	x.check("abused", ok, detail)
}

// says reports whether a row has any result.
func (x *trial) says(row int) bool {
	for o := range x.outputs {
		if v := x.b.Number(o, row); x.b.IsText(o, row) || v == v {
			return true
		}
	}
	return false
}

// alone scores one row in company and alone, and returns the output that differs.
func (x *trial) alone(ctx context.Context) string {
	if x.m.Stateful() || len(x.outputs) == 0 || x.size < 2 {
		return ""
	}
	state := *x.pcg
	make1 := func(n int) ([]float64, []string) {
		x.b.Reset(n)
		*x.pcg = state
		for r := range n {
			x.set(r, func(int) kind { return usual })
		}
		if _, broke := x.run(ctx); broke != "" || x.b.Err(0) != nil {
			return nil, nil
		}
		var num []float64
		var txt []string
		for o := range x.outputs {
			num, txt = append(num, x.b.Number(o, 0)), append(txt, x.b.Text(o, 0))
		}
		return num, txt
	}
	n1, t1 := make1(1)
	n2, t2 := make1(min(97, x.size))
	for i := range min(len(n1), len(n2)) {
		if math.Float64bits(n1[i]) != math.Float64bits(n2[i]) && n1[i] == n1[i] || t1[i] != t2[i] {
			return x.outputs[i].Name
		}
	}
	return ""
}

// speed measures rows of usual values. The quickest batch counts: what else the
// machine does at the time is not the model's.
func (x *trial) speed(ctx context.Context) {
	least := time.Duration(math.MaxInt64)
	n := x.size
	if x.worst > 5*time.Millisecond {
		n = min(n, 8)
	}
	for from := time.Now(); time.Since(from) < tryFor && ctx.Err() == nil; {
		x.b.Reset(n)
		for r := range n {
			x.set(r, func(int) kind { return usual })
		}
		took, broke := x.run(ctx)
		if broke != "" {
			return // told by abuse
		}
		least = min(least, took/time.Duration(n))
	}
	limit := x.Limits.row(x.Every)
	ok := true
	if limit > 0 && least > limit {
		ok = false
		x.problem("", fmt.Sprintf("is too slow: %v a row, %v are allowed one that is scored every %d s", round(least), limit, max(1, x.Every)),
			`make it smaller, or let it be scored less often: <Extension extender="mudpulse" name="every" value="60s"/>`)
	}
	if x.Limits.Memory > 0 && x.held > x.Limits.Memory {
		ok = false
		x.problem("", fmt.Sprintf("is too large: it holds %.1f MB once loaded, %.0f are allowed", float64(x.held)/1e6, float64(x.Limits.Memory)/1e6), "make it smaller: fewer trees, fewer neighbours")
	}
	x.check("speed", ok, fmt.Sprintf("%v a row, %v at worst where values are absurd; limit %v; %.1f MB", round(least), round(x.worst), limit, float64(x.held)/1e6))
}

func round(d time.Duration) time.Duration {
	switch {
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	case d > 10*time.Microsecond:
		return d.Round(100 * time.Nanosecond)
	}
	return d.Round(10 * time.Nanosecond)
}

func clip(s string) string {
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// fieldOf finds an output.
func (x *trial) fieldOf(name string) int {
	return slices.IndexFunc(x.outputs, func(f scoring.Field) bool { return f.Name == name })
}
