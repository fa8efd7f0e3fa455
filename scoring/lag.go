package scoring

import (
	"fmt"
	"math"
)

// lag is the value of a record before, or an aggregate of the records before,
// of the same block. PMML 4.4.1, Lag. Blocks are groups of the row's key; a row
// that failed is no record.
type lag struct {
	slot      int
	blocks    []int
	n         int
	aggregate string // "" none
	memory    int
}

// maxLagged bounds a Lag: its records are gone through for each row.
const maxLagged = 10_000

func (b *binder) lag(s *scope, e *element) expr {
	l := &lag{n: 1, aggregate: e.get("aggregate")}
	switch l.aggregate {
	case "none":
		l.aggregate = ""
	case "", "avg", "max", "median", "min", "product", "sum", "stddev":
	default:
		b.bad.add(e, e.get("field"), fmt.Sprintf("aggregate=%q is none", clip(l.aggregate)), "want none, avg, max, median, min, product, sum or stddev")
	}
	n := b.numAttr(e, "n", 1)
	if n != math.Trunc(n) || n < 1 || n > maxLagged {
		b.bad.add(e, e.get("field"), fmt.Sprintf("n=%q", clip(e.get("n"))), fmt.Sprintf("want a whole number from 1 to %d", maxLagged))
		return constant{none}
	}
	l.n = int(n)
	var ok bool
	if l.slot, ok = b.remembered(s, e, e.get("field")); !ok {
		return constant{none}
	}
	for _, k := range e.all("BlockIndicator") {
		i, ok := b.remembered(s, k, k.get("field"))
		if !ok {
			return constant{none}
		}
		l.blocks = append(l.blocks, i)
	}
	if l.aggregate != "" {
		b.numeric(s, e, e.get("field"))
	}
	return b.once(fmt.Sprintf("%p %d %v", e, l.slot, l.blocks), func() expr {
		what := fmt.Sprintf("Lag %s %d %s", e.get("field"), l.n, l.aggregate)
		l.memory = b.prog.remember(what, l, append([]int{l.slot}, l.blocks...)...)
		return l
	})
}

// remembered is the slot of a field that is kept from row to row.
func (b *binder) remembered(s *scope, e *element, name string) (int, bool) {
	f, ok := b.fieldRef(s, &element{name: e.name, line: e.line, col: e.col, parent: e.parent, attrs: []attr{{"field", name}}}).(fieldRef)
	if !ok && s.params != nil {
		b.bad.add(e, name, e.name+" in a function", "it remembers fields: use it in a DerivedField")
	}
	return f.slot, ok
}

// once keeps one memory for an expression of the dictionary that several
// segments bind with the same fields.
func (b *binder) once(key string, make func() expr) expr {
	if x, ok := b.stateful[key]; ok {
		return x
	}
	if b.stateful == nil {
		b.stateful = map[string]expr{}
	}
	x := make()
	b.stateful[key] = x
	return x
}

// group writes the values that a group is known by.
func group(r *row, slots []int) []byte {
	if len(slots) == 0 {
		return nil
	}
	var buf [64]byte
	out := buf[:0]
	for _, i := range slots {
		v := r.get(i)
		out = append(out, byte(v.k)+1)
		out = append(out, v.lexical()...)
		out = append(out, 0)
	}
	return out
}

func (l *lag) eval(r *row) value {
	c := r.cell(l.memory, group(r, l.blocks))
	if l.aggregate == "" {
		if len(c.v) < l.n {
			return none
		}
		return c.v[c.at] // the oldest
	}
	list := make([]value, 0, len(c.v))
	for i := range c.v { // the oldest first
		v := c.v[i]
		if len(c.v) == l.n {
			v = c.v[(c.at+i)%l.n]
		}
		if v.k != missing {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		return none
	}
	if l.aggregate == "stddev" {
		return num(deviation(list))
	}
	return builtins[l.aggregate].call(r, list)
}

// deviation is the sample's standard deviation; of one value, nothing.
func deviation(list []value) float64 {
	if len(list) < 2 {
		return 0
	}
	mean, squares := 0.0, 0.0
	for _, v := range list {
		mean += v.f
	}
	mean /= float64(len(list))
	for _, v := range list {
		d := v.f - mean
		squares += float64(d * d)
	}
	return math.Sqrt(squares / float64(len(list)-1))
}

func (l *lag) after(r *row, failed bool) {
	if failed {
		return
	}
	c := r.cell(l.memory, group(r, l.blocks))
	v := r.get(l.slot)
	if len(c.v) < l.n {
		c.v = append(c.v, v)
		c.at = len(c.v) % l.n
	} else {
		c.v[c.at] = v
		c.at = (c.at + 1) % l.n
	}
	c.n++
}

func (l *lag) fits(c *cell) bool {
	return len(c.f) == 0 && len(c.v) <= l.n && c.at >= 0 && c.at < l.n && (len(c.v) == l.n || c.at == len(c.v))
}

// aggregated is an Aggregate of a field that is no collection: over the rows so
// far, this one included, of the same group. PMML 4.4.1, Aggregate, says
// "records"; it is Augustus, the contributors' engine, that counts them so.
type aggregated struct {
	function string
	slot     int
	groups   []int
	memory   int
}

func (b *binder) aggregate(s *scope, e *element) expr {
	a := &aggregated{function: e.get("function")}
	switch a.function {
	case "count", "sum", "average", "min", "max", "multiset":
	default:
		b.bad.add(e, e.get("field"), fmt.Sprintf("function=%q is none of Aggregate", clip(a.function)), "want count, sum, average, min, max or multiset")
	}
	if _, ok := e.lookup("sqlWhere"); ok {
		b.bad.refuse(e, "sqlWhere of an Aggregate")
	}
	var ok bool
	if a.slot, ok = b.remembered(s, e, e.get("field")); !ok {
		return constant{none}
	}
	if name, given := e.lookup("groupField"); given {
		i, ok := b.remembered(s, e, name)
		if !ok {
			return constant{none}
		}
		a.groups = []int{i}
	}
	return b.once(fmt.Sprintf("%p %d %v", e, a.slot, a.groups), func() expr {
		what := fmt.Sprintf("Aggregate %s %s %s", a.function, e.get("field"), e.get("groupField"))
		a.memory = b.prog.remember(what, a, append([]int{a.slot}, a.groups...)...)
		return a
	})
}

func (a *aggregated) eval(r *row) value {
	v := r.get(a.slot)
	switch {
	case v.k == list && a.function == "multiset":
		return v
	case v.k == list:
		return a.of(r, v.list)
	case a.function == "multiset":
		if v.k == missing {
			return none
		}
		return r.fail("", KindType, "multiset of %s: Aggregate gathers a collection only", quote(v))
	}
	n, sum, low, high, ok := a.with(r, v)
	switch {
	case !ok:
		return none
	case a.function == "count":
		return whole(n)
	case n == 0:
		if a.function == "sum" {
			return num(0)
		}
		return none
	case a.function == "sum":
		return num(sum)
	case a.function == "average":
		return num(sum / n)
	case a.function == "min":
		return num(low)
	}
	return num(high)
}

// of aggregates a collection.
func (a *aggregated) of(r *row, all []value) value {
	kept := make([]value, 0, len(all))
	for _, v := range all {
		if v.k != missing {
			kept = append(kept, v)
		}
	}
	switch {
	case a.function == "count":
		return whole(float64(len(kept)))
	case len(kept) == 0 && a.function == "sum":
		return num(0)
	case len(kept) == 0:
		return none
	case a.function == "average":
		return builtins["avg"].call(r, kept)
	}
	return builtins[a.function].call(r, kept)
}

// with is what is known of the group together with this row's value:
//
//	count · sum · least · greatest
func (a *aggregated) with(r *row, v value) (n, sum, low, high float64, ok bool) {
	low, high = inf, -inf
	if c := r.cell(a.memory, group(r, a.groups)); len(c.f) == 4 {
		n, sum, low, high = c.f[0], c.f[1], c.f[2], c.f[3]
	}
	if v.k == missing {
		return n, sum, low, high, true
	}
	if a.function == "count" {
		return n + 1, sum, low, high, true
	}
	x, ok := real64(r, v)
	return n + 1, sum + x, min(low, x), max(high, x), ok
}

func (a *aggregated) after(r *row, failed bool) {
	v := r.get(a.slot)
	if failed || v.k == list || a.function == "multiset" {
		return
	}
	n, sum, low, high, ok := a.with(r, v)
	if !ok {
		return
	}
	c := r.cell(a.memory, group(r, a.groups))
	c.f = append(c.f[:0], n, sum, low, high)
	c.n++
}

func (a *aggregated) fits(c *cell) bool { return len(c.v) == 0 && (len(c.f) == 0 || len(c.f) == 4) }
