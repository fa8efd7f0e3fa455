package scoring

import (
	"fmt"
	"math"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// spread is a cluster known by the statistics of its members: the similarity
// of a record is what is to be expected of a member drawn at random. The
// specification gives no formula: docs/pmml-semantics.md, clustering-spread.
type spread struct {
	shares [][]float64 // of a field of known values: by value; nil: a number
	mean   []float64
	vari   []float64
}

// spreadable checks that a distributionBased model compares by similarity.
func (b *binder) spreadable(e *element, x *measure) {
	if !x.larger || x.binary {
		b.bad.refuse(e.first("ComparisonMeasure"), "a distributionBased model that measures "+x.name+" as a distance")
	}
	for i := range x.fields {
		if c := &x.fields[i]; c.fn == absDiff || c.fn == delta {
			b.bad.refuse(e, fmt.Sprintf("a distributionBased model that compares field '%s' by a difference instead of gaussSim, equal or table", clip(c.name)))
		}
	}
}

// spread reads the Partition of a Cluster.
func (b *binder) spread(e *element, x *measure) spread {
	n := len(x.fields)
	s := spread{shares: make([][]float64, n), mean: make([]float64, n), vari: make([]float64, n)}
	stats := map[string]*element{}
	for _, k := range e.first("Partition").all("PartitionFieldStats") {
		stats[k.get("field")] = k
	}
	for i := range x.fields {
		c := &x.fields[i]
		k := stats[c.name]
		if k == nil {
			b.bad.add(e, c.name, fmt.Sprintf("the cluster has no PartitionFieldStats of field '%s'", clip(c.name)), "export the model with them")
			continue
		}
		if c.typ == typeString || c.fn == tableOf {
			s.shares[i] = b.shares(k, c)
			continue
		}
		info := k.first("NumericInfo")
		mean, ok := info.attribute("mean"), info != nil
		if !ok || mean == "" {
			b.bad.add(k, c.name, "the statistics have no mean", "give NumericInfo with mean and standardDeviation")
			continue
		}
		s.mean[i] = b.number(info, "mean", mean)
		sd := b.numAttr(info, "standardDeviation", 0)
		s.vari[i] = float64(sd * sd)
	}
	return s
}

// shares reads how often each value of a field occurs: the first Array of the
// statistics, in the order of the field's values.
func (b *binder) shares(k *element, c *comparand) []float64 {
	a := k.first("Array")
	n := len(c.table)
	if c.table == nil {
		if f := b.data[c.name]; f != nil {
			n = len(f.valid)
			for i, v := range f.valid {
				c.codes[v.lexical()] = float64(i)
			}
		}
	}
	if a == nil || n == 0 {
		b.bad.add(k, c.name, fmt.Sprintf("the frequencies of field '%s' are not known", clip(c.name)), "declare its values, and give an Array of frequencies in their order")
		return nil
	}
	out := b.vector(k, n)
	if t := sum(out); out != nil {
		if !(t > 0) {
			b.bad.add(a, c.name, "the frequencies sum to nothing", "want positive counts")
		}
		for i := range out {
			out[i] /= t
		}
	}
	return out
}

// alike is the weighted mean over the fields that are there.
func (s *spread) alike(m *measure, x, weights []float64) float64 {
	total, weight := 0.0, 0.0
	for i := range m.fields {
		c := &m.fields[i]
		if x[i] != x[i] {
			continue
		}
		w := c.weight
		if weights != nil {
			w = float64(w * weights[i])
		}
		total += float64(w * s.field(i, c, x[i]))
		weight += w
	}
	return total / weight
}

func (s *spread) field(i int, c *comparand, x float64) float64 {
	if share := s.shares[i]; share != nil {
		if c.table != nil {
			sim := 0.0
			for v, p := range share {
				sim += float64(p * c.table[int(x)][v])
			}
			return sim
		}
		if x < 0 {
			return 0
		}
		return share[int(x)]
	}
	if c.fn != gaussSim {
		return c.compare(x, s.mean[i])
	}
	// The mean of exp(-ln2·(x-y)²/s²) over y normally distributed.
	z, q := x-s.mean[i], float64(c.scale*c.scale)
	q2 := q + float64(2*math.Ln2*s.vari[i])
	return math.Sqrt(q/q2) * portable.Exp(-math.Ln2*float64(z*z)/q2)
}
