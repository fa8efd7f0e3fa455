package scoring

import (
	"fmt"
	"math"
	"strconv"
)

// PMML 4.4.1, ClusteringModel: the cluster whose centre is nearest, or, of
// distributionBased models, whose members are most like the record.
type clustering struct {
	measure *measure
	centers [][]float64 // of centerBased, by cluster
	spread  []spread    // of distributionBased, by cluster
	weights []float64   // MissingValueWeights; nil: all 1
	ids     []string
	names   []string
}

func (b *binder) clustering(s *scope, e *element, m *model) evaluator {
	x := b.measure(e, m)
	if x == nil {
		return nothing{}
	}
	c := &clustering{measure: x}
	class := e.get("modelClass")
	switch class {
	case "centerBased", "distributionBased":
	default:
		b.bad.add(e, "", fmt.Sprintf("modelClass=%q is none", clip(class)), "want centerBased or distributionBased")
		return nothing{}
	}
	for _, k := range e.all("ClusteringField") {
		switch is := k.get("isCenterField"); is {
		case "", "true":
		case "false":
			if class == "centerBased" {
				continue // no component of the centres: PMML 4.4.1, isCenterField
			}
		default:
			b.bad.add(k, k.get("field"), fmt.Sprintf("isCenterField=%q is none", clip(is)), "want true or false")
		}
		b.comparand(s, k, e, x)
	}
	if len(x.fields) == 0 {
		b.bad.add(e, "", "the model has no ClusteringFields", "export it again")
		return nothing{}
	}
	if w := e.first("MissingValueWeights"); w != nil {
		c.weights = b.vector(w, len(x.fields))
	}
	if class == "distributionBased" {
		b.spreadable(e, x)
	}
	before := len(b.bad.list) + b.bad.more
	taken := map[string]bool{}
	for i, k := range e.all("Cluster") {
		id := k.get("id")
		if id == "" {
			id = strconv.Itoa(i + 1)
		}
		if taken[id] {
			b.bad.add(k, "", fmt.Sprintf("two clusters are called '%s'", clip(id)), "give each its own id")
		}
		taken[id] = true
		c.ids, c.names = append(c.ids, id), append(c.names, k.get("name"))
		if class == "centerBased" {
			c.centers = append(c.centers, b.center(k, x))
		} else {
			c.spread = append(c.spread, b.spread(k, x))
		}
	}
	if len(c.ids) == 0 {
		b.bad.add(e, "", "the model has no Clusters", "export it again")
	}
	if len(b.bad.list)+b.bad.more > before || len(c.ids) == 0 {
		return nothing{}
	}
	return c
}

// labels are the clusters, which a MiningModel's segments vote for.
func (c *clustering) labels() []string { return c.ids }

// center reads a cluster's centre: numbers, or values of the fields' types.
func (b *binder) center(e *element, x *measure) []float64 {
	a := e.first("Array")
	if a == nil || a.get("type") != "string" {
		y := b.vector(e, len(x.fields))
		for i := range y {
			if c := &x.fields[i]; c.codes != nil || c.table != nil || x.binary {
				var ok bool
				if y[i], ok = c.known(num(y[i]), x.binary); !ok {
					b.bad.add(a, c.name, "the centre has a value that cannot be compared", "want a value of the table, or 0 or 1 for a binary measure")
				}
			}
		}
		return y
	}
	words := b.array(e)
	if len(words) != len(x.fields) {
		b.bad.add(a, "", fmt.Sprintf("the array has %d entries", len(words)), fmt.Sprintf("want %d", len(x.fields)))
		return nil
	}
	y := make([]float64, len(words))
	for i, w := range words {
		c := &x.fields[i]
		v, ok := c.typ.parse(w, c.year)
		if ok {
			y[i], ok = c.known(v, x.binary)
		}
		if !ok {
			b.bad.add(a, c.name, fmt.Sprintf("%q cannot be compared with field '%s', which is %v", clip(w), clip(c.name), c.typ), "mend the centre or the field's dataType")
		}
	}
	return y
}

func (c *clustering) evaluate(r *row, out *result) {
	n := len(c.measure.fields)
	out.work = room(out.work, n)
	x := out.work
	if !c.measure.read(r, x) {
		return
	}
	adjust := 1.0
	if c.weights != nil || anyMissing(x) {
		adjust = adjustment(x, c.weights)
	}
	if adjust != adjust || math.IsInf(adjust, 0) {
		r.fail("", KindModel, "the inputs that are there weigh nothing")
		return
	}
	for i := range c.ids {
		var d float64
		if c.spread != nil {
			d = c.spread[i].alike(c.measure, x, c.weights)
		} else {
			d = c.measure.between(x, c.centers[i], adjust)
		}
		if d != d {
			r.fail("", KindModel, "the affinity to cluster %q is undefined: 0/0", clip(c.ids[i]))
			return
		}
		out.near = append(out.near, d)
	}
	out.entities, out.shown, out.larger = c.ids, c.names, c.measure.larger
	out.best = out.first()
	out.entity = c.ids[out.best]
	out.v = str(out.entity)
}
