package scoring

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// PMML 4.4.1, NearestNeighborModel: what the k training instances say that are
// nearest to the record.
type neighbors struct {
	measure   *measure
	instances [][]float64 // by instance and input
	ids       []string
	k         int
	average   string // average, weightedAverage, median
	weighted  bool   // votes weigh
	threshold float64
	targets   []neighborTarget // none: the nearest instance is the result
	float     bool
}

// neighborTarget is a target's value of each instance.
type neighborTarget struct {
	numbers []float64
	classes []string // those of more instances first, then in lexical order: who wins a tie
	votes   []int32  // class by instance; nil: a number
}

func (b *binder) neighbors(s *scope, e *element, m *model) evaluator {
	g := &neighbors{measure: b.measure(e, m), threshold: b.numAttr(e, "threshold", 0.001), float: m.float, average: e.get("continuousScoringMethod")}
	if g.measure == nil {
		return nothing{}
	}
	k, err := strconv.Atoi(e.get("numberOfNeighbors"))
	if g.k = k; err != nil || k < 1 {
		b.bad.add(e, "", fmt.Sprintf("numberOfNeighbors=%q", clip(e.get("numberOfNeighbors"))), "want 1 or more")
	}
	switch g.average {
	case "":
		g.average = "average"
	case "average", "weightedAverage", "median":
	default:
		b.bad.add(e, "", fmt.Sprintf("continuousScoringMethod=%q is none", clip(g.average)), "want average, weightedAverage or median")
	}
	switch v := e.get("categoricalScoringMethod"); v {
	case "", "majorityVote":
	case "weightedMajorityVote":
		g.weighted = true
	default:
		b.bad.add(e, "", fmt.Sprintf("categoricalScoringMethod=%q is none", clip(v)), "want majorityVote or weightedMajorityVote")
	}
	if g.measure.larger && (g.weighted || g.average == "weightedAverage") {
		b.bad.refuse(e, "a weight by the inverse of the distance where similarity is measured")
	}
	if !(g.threshold >= 0) {
		b.bad.add(e, "", fmt.Sprintf("threshold=%v", g.threshold), "want 0 or more")
	}
	for _, x := range e.first("KNNInputs").all("KNNInput") {
		if x.get("compareFunction") == "table" || x.get("compareFunction") == "gaussSim" {
			b.bad.refuse(x, "compareFunction=\""+x.get("compareFunction")+"\" of a KNNInput, which has no place for its parameters,")
			return nothing{}
		}
		b.comparand(s, x, e, g.measure)
	}
	before := len(b.bad.list) + b.bad.more
	if len(g.measure.fields) == 0 {
		b.bad.add(e, "", "the model has no KNNInputs", "export it again")
	}
	switch {
	case m.function == "clustering" && len(s.targets) > 0:
		b.bad.add(e, "", "functionName=\"clustering\" with a target", "want regression, classification or mixed")
	case m.function != "clustering" && len(s.targets) == 0:
		b.bad.add(e, "", "the model has no target", "give one in the MiningSchema, or functionName=\"clustering\" for the nearest instances alone")
	case m.function == "clustering" && e.get("instanceIdVariable") == "":
		b.bad.add(e, "", "the model has neither target nor instanceIdVariable", "say what instances are called")
	}
	if len(b.bad.list)+b.bad.more > before {
		return nothing{}
	}
	b.instances(s, e, m, g)
	if len(b.bad.list)+b.bad.more > before {
		return nothing{}
	}
	return g
}

// instances reads the training instances.
func (b *binder) instances(s *scope, e *element, m *model, g *neighbors) {
	t := e.first("TrainingInstances")
	table := t.first("InlineTable")
	if t == nil || table == nil {
		b.bad.add(e, "", "the model has no TrainingInstances with an InlineTable", "a TableLocator is not followed: put the rows into the document")
		return
	}
	column := map[string]string{}
	for _, k := range t.first("InstanceFields").all("InstanceField") {
		c := columnName(k.get("column"))
		if c == "" {
			c = k.get("field")
		}
		column[k.get("field")] = c
	}
	want := func(field string) bool {
		_, ok := column[field]
		if !ok {
			b.bad.add(t, field, fmt.Sprintf("the training instances have no field '%s'", clip(field)), "name it in an InstanceField")
		}
		return ok
	}
	idField := e.get("instanceIdVariable")
	if idField != "" && !want(idField) {
		return
	}
	for _, t := range m.targets() {
		if t.field != "" && m.function != "clustering" && !want(t.field) {
			return
		}
	}
	x := &transformer{b: b, column: column, skip: t.get("isTransformed") == "true"}
	for i := range g.measure.fields {
		if _, ok := column[g.measure.fields[i].name]; !ok && x.skip && !want(g.measure.fields[i].name) {
			return
		}
	}
	rows := table.all("row")
	for n, k := range rows {
		cell := cells(k)
		if !b.cells(k, len(g.measure.fields)+len(m.targets())) || !x.instance(k, cell, n, g) {
			return
		}
		id := strconv.Itoa(n + 1)
		if idField != "" {
			id = cell[column[idField]]
		}
		g.ids = append(g.ids, id)
	}
	if len(rows) == 0 {
		b.bad.add(table, "", "there are no training instances", "export the model again")
		return
	}
	if m.function != "clustering" {
		for _, t := range m.targets() {
			g.targets = append(g.targets, b.neighborTarget(t, t.does(m) == "classification", rows, column[t.field]))
		}
	}
}

// transformer makes a training instance's values of its cells: treated and
// derived as a record's are; derived values that the table holds are taken.
type transformer struct {
	b      *binder
	column map[string]string
	skip   bool // isTransformed: nothing is derived
	row    *row
}

func (x *transformer) instance(e *element, cell map[string]string, n int, g *neighbors) bool {
	y := make([]float64, len(g.measure.fields))
	fresh := true
	for i := range g.measure.fields {
		c := &g.measure.fields[i]
		v, ok := none, true
		if col, in := x.column[c.name]; in && x.b.data[c.name] == nil {
			if txt := cell[col]; txt != "" {
				v, ok = c.typ.parse(txt, c.year)
			}
		} else {
			v = x.derive(cell, c.slot, fresh)
			fresh = false
			if x.row.err != nil {
				x.b.bad.add(e, c.name, fmt.Sprintf("training instance %d: %v", n+1, x.row.err), "mend the instance")
				return false
			}
		}
		if ok {
			y[i], ok = c.known(v, g.measure.binary)
		}
		if !ok || v.k == missing {
			x.b.bad.add(e, c.name, fmt.Sprintf("training instance %d has no value of '%s' that can be compared", n+1, clip(c.name)), "mend the instance, or take it out")
			return false
		}
	}
	g.instances = append(g.instances, y)
	return true
}

// derive computes a slot as it would be of a record with the table's cells.
func (x *transformer) derive(cell map[string]string, slot int, fresh bool) value {
	if x.row == nil {
		x.row = newRow(x.b.prog)
	}
	if fresh {
		x.row.begin()
		for _, f := range x.b.prog.inputs {
			x.row.in[f.index] = none
			if txt := cell[x.column[f.name]]; txt != "" {
				x.row.in[f.index] = str(txt)
			}
		}
	}
	return x.row.get(slot)
}

func (b *binder) neighborTarget(t *target, class bool, rows []*element, column string) neighborTarget {
	out := neighborTarget{numbers: make([]float64, len(rows))}
	names := make([]string, len(rows))
	count := map[string]int{}
	typ := t.typ
	if !class {
		typ = typeDouble
	}
	for i, k := range rows {
		v, ok := typ.parse(cells(k)[column], t.year)
		if !ok || cells(k)[column] == "" {
			b.bad.add(k, t.field, fmt.Sprintf("training instance %d has no value of the target '%s'", i+1, clip(t.field)), "mend the instance, or take it out")
			return out
		}
		out.numbers[i], names[i] = v.f, v.lexical()
		count[names[i]]++
	}
	if !class {
		return out
	}
	for c := range count {
		out.classes = append(out.classes, c)
	}
	slices.SortFunc(out.classes, func(x, y string) int { return cmp.Or(count[y]-count[x], cmp.Compare(x, y)) })
	place := map[string]int32{}
	for i, c := range out.classes {
		place[c] = int32(i)
	}
	for _, n := range names {
		out.votes = append(out.votes, place[n])
	}
	return out
}

func (g *neighbors) labels() []string {
	if len(g.targets) > 0 {
		return g.targets[0].classes
	}
	return nil
}

func (g *neighbors) evaluate(r *row, out *result) {
	n := len(g.measure.fields)
	out.work = room(out.work, n+g.k)
	x := out.work[:n]
	if !g.measure.read(r, x) {
		return
	}
	adjust := 1.0
	if anyMissing(x) {
		adjust = adjustment(x, nil)
	}
	out.larger = g.measure.larger
	for i, y := range g.instances {
		d := g.measure.between(x, y, adjust)
		if d != d {
			r.fail("", KindModel, "the affinity to training instance %q is undefined: 0/0", clip(g.ids[i]))
			return
		}
		out.near = append(out.near, d)
		out.keep(i, g.k)
	}
	out.entities, out.best, out.top = g.ids, int(out.order[0]), g.k
	out.entity = g.ids[out.best]
	if len(g.targets) == 0 {
		out.v = str(out.entity)
		return
	}
	for i := range g.targets {
		if !g.answer(&g.targets[i], out.work[n:n], out, out.of(i)) {
			r.fail("", KindModel, "the neighbours are infinitely far: they weigh nothing")
			return
		}
	}
}

// keep puts entity i among the best k so far, after its equals.
func (s *result) keep(i, k int) {
	better := func(x, y float64) bool { return s.larger && x > y || !s.larger && x < y }
	x := s.near[i]
	n := len(s.order)
	if n == k {
		if !better(x, s.near[s.order[n-1]]) {
			return
		}
		n--
	} else {
		s.order = append(s.order, 0)
	}
	for n > 0 && better(x, s.near[s.order[n-1]]) {
		s.order[n] = s.order[n-1]
		n--
	}
	s.order[n] = int32(i)
}

// answer combines what the neighbours, out.order, say of a target; false where
// their numbers weigh nothing.
func (g *neighbors) answer(t *neighborTarget, values []float64, out, to *result) bool {
	to.entity = out.entity
	if t.votes != nil {
		to.p = zeros(to.p, len(t.classes))
		for _, i := range out.order {
			to.p[t.votes[i]] += g.weight(out.near[i], g.weighted)
		}
		to.v = str(t.classes[winner(to.p)])
		if all := sum(to.p); all > 0 { // else all are infinitely far
			for j := range to.p {
				to.p[j] /= all
			}
		}
		to.classes = t.classes
		return true
	}
	y := 0.0
	switch {
	case g.average == "median":
		for _, i := range out.order {
			values = append(values, t.numbers[i])
		}
		slices.Sort(values)
		n := len(values)
		y = values[n/2]
		if n%2 == 0 {
			y = values[n/2-1] + float64((y-values[n/2-1])/2)
		}
	case g.float:
		y = g.average32(t, out)
	default:
		weights := 0.0
		for _, i := range out.order {
			w := g.weight(out.near[i], g.average == "weightedAverage")
			y += float64(w * t.numbers[i])
			weights += w
		}
		y /= weights
	}
	to.v = value{k: number, f32: g.float, f: y}
	return y == y
}

// weight is 1, or the inverse of the distance and the threshold.
func (g *neighbors) weight(distance float64, weighted bool) float64 {
	switch {
	case !weighted:
		return 1
	case g.float:
		return float64(1 / (float32(distance) + float32(g.threshold)))
	}
	return 1 / (distance + g.threshold)
}

func (g *neighbors) average32(t *neighborTarget, out *result) float64 {
	var y, weights float32
	for _, i := range out.order {
		w := float32(g.weight(out.near[i], g.average == "weightedAverage"))
		y += float32(w * float32(t.numbers[i]))
		weights += w
	}
	return float64(y / weights)
}
