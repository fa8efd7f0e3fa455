package scoring

import "slices"

// A tree, or a mining model that adds or counts trees up, becomes a forest.

// tree is a TreeModel alone: its class and its probabilities are values of the leaf.
func (c *planner) tree(m *model, t *tree) (*modelCols, bool) {
	r := &modelCols{col: -1, kind: number}
	f := &forest{k: 1}
	add := &treeStep{r: r, f: f}
	values := func(to []float64, leaf *result) ([]float64, bool) {
		if leaf.v.k != number {
			return append(to, nan), leaf.v.k == missing
		}
		return append(to, leaf.v.f), leaf.v.f == leaf.v.f
	}
	if t.class {
		r.classes = t.classes
		f.k = 1 + len(t.classes)
		for range t.classes {
			r.p = append(r.p, c.column())
		}
		values = func(to []float64, leaf *result) ([]float64, bool) {
			from := len(to)
			for range f.k {
				to = append(to, nan)
			}
			if leaf.v.k == missing {
				return to, true
			}
			out := to[from:]
			i := index(t.classes, leaf.v.lexical())
			out[0] = float64(i)
			if leaf.classes != nil {
				copy(out[1:], leaf.p)
			}
			return to, i >= 0 && (leaf.classes == nil || len(leaf.p) == len(t.classes))
		}
		for i := range t.nodes { // probabilities everywhere, or nowhere
			if n := &t.nodes[i]; n.from == n.to && len(n.dist) == 0 {
				r.p = nil
			}
		}
	}
	if m.function == "classification" != t.class || len(t.classes) > 64 {
		return nil, false
	}
	if !c.grow(f, []grownTree{{t, values}}) {
		return nil, false
	}
	to := c.column()
	if t.class {
		r.winner = to
	} else {
		r.col, r.single = to, t.float
	}
	add.to = to
	c.add(false, add)
	return r, true
}

type treeStep struct {
	r  *modelCols
	f  *forest
	to int
}

func (s *treeStep) run(k *block) {
	s.f.run(k, k.acc, k.acc32)
	to, n := k.col[s.to][:k.n], s.f.k
	for i := range to {
		to[i] = k.acc[i*n]
	}
	for j, col := range s.r.p {
		p := k.col[col][:k.n]
		for i := range p {
			p[i] = k.acc[i*n+1+j]
		}
	}
}

// grownTree is a tree with what its leaves add: values appends it, and is false
// for a leaf that cannot be added.
type grownTree struct {
	t      *tree
	values func(to []float64, leaf *result) ([]float64, bool)
}

// grow lowers trees and gives them codings, or returns false.
func (c *planner) grow(f *forest, trees []grownTree) bool {
	l := &lowerer{slots: c.m.prog.slots, sets: &[]valueSet{}, setOf: map[string]int{}}
	type one struct{ walk, dense *lowered }
	var all []one
	for _, g := range trees {
		x := one{walk: l.lower(g.t, false)}
		if x.walk == nil {
			return false
		}
		if x.walk.gapped {
			x.dense = l.lower(g.t, true)
		}
		all = append(all, x)
	}
	// A part's columns must stand before the coding's step.
	for i, x := range all {
		var refs []colRef
		for _, s := range x.walk.splits {
			if s.kind == 0 {
				continue
			}
			r, ok := c.slot(s.slot)
			if !ok || r.dict == nil && r.kind == text {
				return false
			}
			if r.dict != nil && s.kind == 's' {
				for _, w := range (*l.sets)[s.set].words {
					r.dict.code(w)
				}
			}
			refs = append(refs, r)
		}
		if !c.join(f, i, x.walk, x.dense, refs, *l.sets) {
			return false
		}
	}
	var leaf result
	var v []float64
	for i := range all { // what cannot be added is told now
		g := trees[i]
		fine := true
		leaf.forget()
		if v, fine = g.values(v[:0], &leaf); !fine {
			return false
		}
		for n := range g.t.nodes {
			if leafless(g.t, int32(n)) {
				continue
			}
			if v, fine = g.values(v[:0], leaf.endAt(g.t, int32(n))); !fine || !finite(v) {
				return false
			}
		}
	}
	c.p.acc = max(c.p.acc, f.k)
	c.p.trees += len(all)
	f.trees = make([]*codedTree, len(all))
	parts := f.parts
	c.todo = append(c.todo, func() {
		for _, p := range parts {
			g := c.p.codings[p.coding]
			for i := p.from; i < p.to; i++ {
				node := func(s *split) (int, int) { return g.at(g.of[c.refs[s.slot].col], s.ask, *l.sets) }
				values := func(to []float64, node int32) []float64 {
					if leaf.forget(); node >= 0 {
						leaf.endAt(trees[i].t, node)
					}
					to, _ = trees[i].values(to, &leaf)
					return to
				}
				nodes := len(trees[i].t.nodes)
				t := &codedTree{walk: f.pack(all[i].walk, nodes, node, values)}
				if all[i].dense != nil {
					t.dense = f.pack(all[i].dense, nodes, node, values)
				}
				f.trees[i] = t
			}
		}
		if f.single {
			for _, v := range f.vals {
				f.vals32 = append(f.vals32, float32(v))
			}
			f.vals = nil
		}
	})
	return true
}

// leafOf is what a walk that ends at a node gives.
func leafOf(t *tree, node int32) *result { return new(result).endAt(t, node) }

// endAt makes r what a walk that ends at a node gives, in the memory of what it was before.
func (r *result) endAt(t *tree, node int32) *result {
	r.forget()
	t.leaf(nil, node, 0, r)
	return r
}

func (r *result) forget() { *r = result{p: r.p[:0], conf: r.conf[:0]} }

// leafless reports whether no walk ends at a node.
func leafless(t *tree, node int32) bool {
	n := &t.nodes[node]
	return n.from != n.to && !(t.last && n.score.k != missing) && t.onGap != "lastPrediction"
}

// finite: sums of such values are never infinite, so that NaN is always missing.
func finite(v []float64) bool {
	for _, x := range v {
		if x > 1e30 || x < -1e30 {
			return false
		}
	}
	return true
}

// join gives tree i of a forest a coding: the open one if its columns stand
// before that coding's step and it has room, else a new one.
func (c *planner) join(f *forest, i int, walk, dense *lowered, refs []colRef, sets []valueSet) bool {
	note := func(g *coding) bool {
		for _, l := range []*lowered{walk, dense} {
			if l == nil {
				continue
			}
			for _, s := range l.splits {
				if s.kind != 0 && !g.note(g.feature(c.refs[s.slot]), s.ask, sets) {
					return false
				}
			}
		}
		return g.size() <= maxWidth
	}
	fits := c.open != nil
	if fits {
		for _, r := range refs {
			if _, has := c.open.of[r.col]; !has && !r.early && c.openFor != f {
				fits = false
			}
		}
	}
	if !fits || !note(c.open) {
		g := newCoding()
		if !note(g) {
			return false
		}
		c.open, c.openFor = g, f
		c.p.codings = append(c.p.codings, g)
		c.todo = append(c.todo, g.finish)
		s := &codeStep{len(c.p.codings) - 1}
		c.late = append(c.late, s)
	}
	at := len(c.p.codings) - 1
	if n := len(f.parts); n > 0 && f.parts[n-1].coding == at {
		f.parts[n-1].to = i + 1
		return true
	}
	f.parts = append(f.parts, forestPart{coding: at, from: i, to: i + 1})
	return true
}

type codeStep struct{ coding int }

func (s *codeStep) run(k *block) {
	k.gaps[s.coding] = k.p.codings[s.coding].run(k, k.x[s.coding])
}

// mining is a MiningModel: a chain, or trees that are added or counted up.
func (c *planner) mining(m *model, g *mining) (*modelCols, bool) {
	if g.method == "modelChain" {
		var last *modelCols
		for i := range g.segments {
			if g.segments[i].when != fixed(yes) || g.treatment == "returnMissing" {
				return nil, false
			}
			r, ok := c.model(g.segments[i].model)
			if !ok {
				return nil, false
			}
			last = r
		}
		r := *last // its value and classes are the chain's, before the chain's own target
		if r.col < 0 {
			r.values = slices.Clone(r.values)
		} else if r.whole {
			return nil, false
		}
		return &r, true
	}
	var trees []grownTree
	f := &forest{k: 1, single: g.float}
	s := &forestStep{g: g, f: f}
	for i := range g.segments {
		x := &g.segments[i]
		t, ok := x.model.eval.(*tree)
		if !ok || x.when != fixed(yes) || x.by >= 0 {
			return nil, false
		}
		w := 1.0
		if g.method == "weightedMajorityVote" || g.method == "weightedAverage" || g.method == "weightedSum" {
			w = x.weight
		}
		if s.weights += w; g.float {
			s.weights = float64(float32(s.weights))
		}
		values := func(to []float64, leaf *result) ([]float64, bool) { return g.addend(to, x.model, leaf, w) }
		if g.class {
			values = func(to []float64, leaf *result) ([]float64, bool) { return g.ballot(to, x.model, leaf, w) }
		}
		trees = append(trees, grownTree{t, values})
	}
	r := &modelCols{col: -1, kind: number}
	switch {
	case g.class && (g.method == "average" || g.method == "weightedAverage" || g.method == "majorityVote" || g.method == "weightedMajorityVote"):
		if len(g.classes) == 0 || len(g.classes) > 64 {
			return nil, false
		}
		f.k = len(g.classes)
		r.classes, r.winner = g.classes, c.column()
		for range g.classes {
			r.p = append(r.p, c.column())
		}
	case !g.class && (g.method == "sum" || g.method == "weightedSum" || g.method == "average"):
		r.col, r.single = c.column(), g.float
	default:
		return nil, false
	}
	if !c.grow(f, trees) {
		return nil, false
	}
	s.r = r
	s.to = r.col
	c.add(false, s)
	return r, true
}

// addend appends what a leaf adds to a sum.
func (g *mining) addend(to []float64, m *model, leaf *result, w float64) ([]float64, bool) {
	m.target.apply(nil, m, leaf)
	v := leaf.v
	switch {
	case v.k == missing:
		return append(to, nan), true
	case v.k != number && v.k != integer || v.f != v.f:
		return to, false
	case g.method != "weightedSum":
		return append(to, v.f), true
	case g.float:
		return append(to, float64(float32(w)*float32(v.f))), true
	}
	return append(to, float64(w*v.f)), true
}

// ballot appends what a leaf adds to each class.
func (g *mining) ballot(to []float64, m *model, leaf *result, w float64) ([]float64, bool) {
	m.target.apply(nil, m, leaf)
	from := len(to)
	for range g.classes {
		to = append(to, 0)
	}
	out := to[from:]
	if leaf.v.k == missing {
		for i := range out {
			out[i] = nan
		}
		return to, true
	}
	if g.method == "majorityVote" || g.method == "weightedMajorityVote" {
		i := index(g.classes, leaf.v.lexical())
		if i >= 0 {
			out[i] = w
		}
		return to, !g.float
	}
	if leaf.classes == nil {
		return to, false
	}
	for j, c := range leaf.classes {
		if i := index(g.classes, c); i >= 0 {
			if out[i] = float64(w * leaf.p[j]); g.float {
				out[i] = float64(float32(w) * float32(leaf.p[j]))
			}
		}
	}
	return to, true
}

func ties(p []float64, w int) bool {
	for i, x := range p {
		if i != w && x == p[w] {
			return true
		}
	}
	return false
}

type forestStep struct {
	g       *mining
	f       *forest
	r       *modelCols
	weights float64
	to      int
}

func (s *forestStep) run(k *block) {
	s.f.run(k, k.acc, k.acc32)
	g, n := s.g, s.f.k
	if !g.class {
		to := k.col[s.to][:k.n]
		if s.f.single {
			for i := range to {
				to[i] = float64(k.acc32[i])
			}
		} else {
			copy(to, k.acc)
		}
		if g.method == "average" {
			count := float64(len(g.segments))
			for i := range to {
				to[i] /= count
				if g.float {
					to[i] = float64(float32(to[i]))
				}
			}
		}
		if g.treatment == "skipSegment" {
			for i, y := range to {
				if y != y {
					k.mark(i)
				}
			}
		}
		return
	}
	win := k.col[s.r.winner][:k.n]
	p := k.y[:0]
	vote := g.method == "majorityVote" || g.method == "weightedMajorityVote"
	for i := range win {
		p = p[:0]
		for j := range n {
			x := 0.0
			if s.f.single {
				x = float64(float32(float64(k.acc32[i*n+j]) / s.weights))
			} else {
				x = k.acc[i*n+j] / s.weights
			}
			p = append(p, x)
			k.col[s.r.p[j]][i] = x
		}
		w := winner(p)
		if vote && w >= 0 && slices.Contains(p[w+1:], p[w]) {
			k.mark(i) // of equals the one that was voted for first
		}
		if p[0] != p[0] {
			if vote || g.treatment == "skipSegment" {
				k.mark(i)
			}
			w = -1
		}
		if vote && w >= 0 && ties(p, w) { // that which was voted for first
			k.mark(i)
		}
		win[i] = float64(w)
		if w < 0 {
			win[i] = nan
		}
	}
	k.y = p
}
