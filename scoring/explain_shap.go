package scoring

import (
	"fmt"
	"slices"
)

// Trees are explained by their Shapley values: what each field adds, averaged
// over all orders in which the fields could become known. What is not known yet
// is as the records that trained the tree were: path-dependent TreeSHAP
// (Lundberg and others, 2020), exact and of order leaves × depth². Where the
// export has no record counts, each way out of the tree weighs the same; base
// and terms sum to the score either way.

// shapTree is a tree as it is explained: its decisions, each with the share of
// the records that come there.
type shapTree struct {
	splits []split
	cover  []float64
	of     []func(value) tri // by set
	leaves []*result         // by split
	slots  []int             // that are asked, each once
	values []float64         // of the leaves, and their mean below each decision
	what   string            // that is
	counts bool              // record counts are known
	depth  int
	gapped bool // it asks whether values are missing, beside the tree's own tests
}

// shapOf prepares a tree for rows in which nothing is missing, or for any.
func (x *explainer) shapOf(t *tree, m *model, dense bool) *shapTree {
	key := shapKey{t, dense}
	if s, ok := x.kept[key]; ok {
		return s
	}
	x.kept[key] = nil
	sets := []valueSet{}
	l := &lowerer{slots: x.slots, sets: &sets, setOf: map[string]int{}}
	low := l.lower(t, dense)
	if low == nil {
		return nil
	}
	s := &shapTree{splits: low.splits, cover: make([]float64, len(low.splits)), leaves: make([]*result, len(low.splits)), counts: true, depth: low.depth, gapped: low.gapped}
	for _, v := range sets {
		s.of = append(s.of, v.of)
	}
	times := map[int32]float64{}
	told := false // exporters that do not know write 1 everywhere
	for _, p := range s.splits {
		if p.kind == 0 && p.leaf >= 0 {
			times[p.leaf]++
			n := t.records(p.leaf)
			s.counts, told = s.counts && n >= 0, told || n > 1
		}
	}
	s.counts = s.counts && told
	for i := len(s.splits) - 1; i >= 0; i-- { // what follows a decision stands after it
		p := &s.splits[i]
		switch {
		case p.kind != 0:
			s.cover[i] = s.cover[p.left] + s.cover[p.right]
			if !slices.Contains(s.slots, p.slot) {
				s.slots = append(s.slots, p.slot)
			}
		case p.leaf < 0:
		default:
			s.cover[i] = 1
			if s.counts {
				s.cover[i] = t.records(p.leaf) / times[p.leaf]
			}
			s.leaves[i] = leafOf(t, p.leaf)
			m.target.apply(nil, m, s.leaves[i])
		}
	}
	if s.cover[0] == 0 {
		return nil
	}
	x.kept[key] = s
	return s
}

// records are those that end at a node: its own, less its children's.
func (t *tree) records(node int32) float64 {
	n := &t.nodes[node]
	c := n.count
	for _, k := range t.children[n.from:n.to] {
		c -= t.nodes[k].count
	}
	if n.from != n.to && c < 0 {
		return 0
	}
	return c
}

// part is one field of a path. See the paper's algorithm 2.
type part struct {
	slot      int
	zero, one float64 // share of the records, and of the row, that go this way
	weight    float64
}

// explains makes the tree ready for what is explained: value is a leaf's.
func (t *shapTree) explains(x *explainer, value func(*result) float64) {
	what := fmt.Sprint(x.class, x.votes)
	if t.values != nil && t.what == what {
		return
	}
	t.values, t.what = make([]float64, len(t.splits)), what
	for i := len(t.splits) - 1; i >= 0; i-- {
		p := &t.splits[i]
		switch {
		case t.leaves[i] != nil:
			t.values[i] = value(t.leaves[i])
		case p.kind != 0 && t.cover[i] > 0:
			t.values[i] = (t.values[p.left]*t.cover[p.left] + t.values[p.right]*t.cover[p.right]) / t.cover[i]
		}
	}
}

// steps adds what each decision on the row's way changes of the expected score.
func (x *explainer) steps(t *shapTree, weight float64) {
	x.base += weight * t.values[0]
	w := shapWalk{x: x, t: t}
	for at := int32(0); t.splits[at].kind != 0; {
		p := &t.splits[at]
		to := p.left
		if w.right(p) {
			to = p.right
		}
		if d := t.values[to] - t.values[at]; d != 0 {
			x.terms[x.slots[p.slot].name] += weight * d
		}
		at = to
	}
}

// shap adds a tree's terms.
func (x *explainer) shap(t *shapTree, weight float64) {
	need := (t.depth + 3) * (t.depth + 4) / 2
	if len(x.parts) < need {
		x.parts = make([]part, need)
	}
	if len(x.phi) < len(x.slots) {
		x.phi = make([]float64, len(x.slots))
	}
	w := shapWalk{x: x, t: t}
	w.visit(0, 0, x.parts, 1, 1, -1)
	for _, i := range t.slots {
		if v := x.phi[i]; v != 0 {
			x.terms[x.slots[i].name] += weight * v
			x.phi[i] = 0
		}
	}
	x.base += weight * t.values[0]
}

type shapWalk struct {
	x *explainer
	t *shapTree
}

// right reports which way the row goes at a decision.
func (w *shapWalk) right(p *split) bool {
	v := w.x.r.get(p.slot)
	switch {
	case p.kind == 'm':
		return v.k == missing
	case v.k == missing:
		return p.high
	case p.kind == 'c':
		return v.f > p.cut
	}
	return w.t.of[p.set](v) == yes
}

// visit goes down both ways of a decision with the path of fields so far.
func (w *shapWalk) visit(at int32, depth int, path []part, zero, one float64, slot int) {
	path[depth] = part{slot: slot, zero: zero, one: one}
	extend(path[:depth+1])
	p := &w.t.splits[at]
	if p.kind == 0 {
		v := w.t.values[at]
		if v == 0 {
			return
		}
		for i := 1; i <= depth; i++ {
			e := &path[i]
			if d := e.one - e.zero; d != 0 {
				w.x.phi[e.slot] += unwound(path[:depth+1], i) * d * v
			}
		}
		return
	}
	hot, cold := p.left, p.right
	if w.right(p) {
		hot, cold = cold, hot
	}
	z, o := 1.0, 1.0
	for i := 1; i <= depth; i++ {
		if path[i].slot == p.slot { // asked before: one field, one part
			z, o = path[i].zero, path[i].one
			unwind(path[:depth+1], i)
			depth--
			break
		}
	}
	next := path[depth+1:]
	cover := w.t.cover[at]
	for _, way := range [2]struct {
		to  int32
		one float64
	}{{hot, o}, {cold, 0}} {
		share := 0.0
		if cover > 0 {
			share = z * w.t.cover[way.to] / cover
		}
		if share == 0 && way.one == 0 {
			continue // no record and not the row
		}
		copy(next, path[:depth+1])
		w.visit(way.to, depth+1, next, share, way.one, p.slot)
	}
}

// extend gives the path's last part its weight among all subsets.
func extend(path []part) {
	d := len(path) - 1
	last := path[d]
	if d == 0 {
		path[0].weight = 1
	}
	n := float64(d + 1)
	for i := d - 1; i >= 0; i-- {
		path[i+1].weight += last.one * path[i].weight * float64(i+1) / n
		path[i].weight = last.zero * path[i].weight * float64(d-i) / n
	}
}

// unwind takes part i out of the path.
func unwind(path []part, i int) {
	d := len(path) - 1
	z, o, n := path[i].zero, path[i].one, float64(d+1)
	next := path[d].weight
	for j := d - 1; j >= 0; j-- {
		if o != 0 {
			was := path[j].weight
			path[j].weight = next * n / (float64(j+1) * o)
			next = was - path[j].weight*z*float64(d-j)/n
		} else {
			path[j].weight = path[j].weight * n / (z * float64(d-j))
		}
	}
	for j := i; j < d; j++ {
		path[j].slot, path[j].zero, path[j].one = path[j+1].slot, path[j+1].zero, path[j+1].one
	}
}

// unwound is the sum of the weights that the path would have without part i.
func unwound(path []part, i int) float64 {
	d := len(path) - 1
	z, o, n := path[i].zero, path[i].one, float64(d+1)
	next, total := path[d].weight, 0.0
	if o == 0 {
		for j := d - 1; j >= 0; j-- {
			total += path[j].weight / (z * float64(d-j))
		}
		return total * n
	}
	for j := d - 1; j >= 0; j-- {
		w := next / (float64(j+1) * o)
		total += w
		next = path[j].weight - w*z*float64(d-j)
	}
	return total * n
}
