package scoring

import "strings"

// Trees are explained along the path of the row (Saabas): the expected score of
// a node is the mean of its leaves, weighted by their records; each step's
// change belongs to the field that was asked there. Where the export has no
// record counts each leaf weighs the same; base and terms sum to the score
// either way.

// tree adds the terms of one tree, of its number or of the class's probability.
func (x *explainer) tree(m *model, t *tree, weight float64) bool {
	class := -1
	if t.class {
		if class = index(t.classes, x.class); class < 0 {
			return true // the tree never gives it
		}
	}
	value := func(res *result) float64 {
		switch {
		case class < 0:
			return res.v.f
		case res.classes != nil && !x.votes:
			return res.p[class]
		case res.v.k != missing && res.v.lexical() == x.class:
			return 1
		}
		return 0
	}
	s := x.shapOf(t, m, false)
	if s != nil && s.gapped && !x.gaps(s) {
		s = x.shapOf(t, m, true) // without the questions whether something is missing
	}
	if s != nil {
		x.rests(s.counts)
		s.explains(x, value)
		if x.how == Shapley {
			x.set("shap")
			x.shap(s, weight)
		} else {
			x.set("path")
			x.steps(s, weight)
		}
		x.trace(m, t)
		return true
	}
	path := x.walked(t)
	if len(path) == 0 {
		return false
	}
	x.set("path")
	counts := true
	score := func(i int32) float64 {
		n := &t.nodes[i]
		counts = counts && (n.from != n.to || n.count >= 0)
		leaf := leafOf(t, i)
		m.target.apply(nil, m, leaf)
		return value(leaf)
	}
	mean, _ := t.mean(0, score)
	x.base += weight * mean
	for i, node := range path {
		next := score(node)
		if i+1 < len(path) {
			next, _ = t.mean(path[i+1], score)
		}
		if i+1 == len(path) {
			if d := next - mean; d != 0 { // the walk ended above a leaf
				x.terms["(path)"] += weight * d
			}
			break
		}
		x.terms[x.asked(t, node, path[i+1])] += weight * (next - mean)
		mean = next
	}
	x.rests(counts)
	x.trace(m, t)
	return true
}

// rests notes what a tree's base is the mean of; of several, the weaker.
func (x *explainer) rests(counts bool) {
	switch {
	case !counts:
		x.baseline = OverLeaves
	case x.baseline == "":
		x.baseline = OverRecords
	}
}

// gaps reports whether a value that the tree may ask for is missing.
func (x *explainer) gaps(s *shapTree) bool {
	for _, i := range s.slots {
		if x.r.get(i).k == missing {
			return true
		}
	}
	return false
}

// walked is the row's path through the nodes; nil where it has no result.
func (x *explainer) walked(t *tree) []int32 {
	var res result
	walk := *t
	walk.packed = nil // the walk notes its path
	walk.evaluate(x.r, &res)
	if res.v.k == missing {
		return nil
	}
	return res.path
}

// trace notes what the row answered to a tree that is the whole model.
func (x *explainer) trace(m *model, t *tree) {
	if m.scope.parent != nil && m.scope.parent.parent != nil {
		return
	}
	path := x.walked(t)
	for _, n := range path[min(1, len(path)):] {
		x.path = append(x.path, x.words(t.nodes[n].when))
	}
}

// words is a predicate as one reads it.
func (x *explainer) words(p predicate) string {
	switch p := p.(type) {
	case *simple:
		sign := [...]string{"=", "≠", "<", "≤", ">", "≥", "is missing", "is not missing"}[p.op]
		if p.op >= opMissing {
			return x.slots[p.slot].name + " " + sign
		}
		return x.slots[p.slot].name + " " + sign + " " + p.want.lexical()
	case *inSet:
		var of []string
		for _, v := range p.set {
			of = append(of, v.lexical())
		}
		in := " in {"
		if p.not {
			in = " not in {"
		}
		return x.slots[p.slot].name + in + strings.Join(of, ", ") + "}"
	case *compound:
		var of []string
		for _, k := range p.kids {
			of = append(of, x.words(k))
		}
		return "(" + strings.Join(of, map[byte]string{'&': " and ", '|': " or ", '^': " xor ", 's': ", else "}[p.op]) + ")"
	}
	return "otherwise"
}

// mean is the expected score below a node, and the records it rests on.
func (t *tree) mean(at int32, score func(int32) float64) (m, n float64) {
	node := &t.nodes[at]
	if node.from == node.to {
		n = node.count
		if !(n > 0) {
			n = 1
		}
		return score(at), n
	}
	s := 0.0
	for _, c := range t.children[node.from:node.to] {
		cm, cn := t.mean(c, score)
		s += cm * cn
		n += cn
	}
	return s / n, n
}

// asked names the field that led from a node to its child.
func (x *explainer) asked(t *tree, node, child int32) string {
	name := x.fieldOf(t.nodes[child].when)
	if name == "" { // the else branch: what its siblings ask
		n := &t.nodes[node]
		for _, c := range t.children[n.from:n.to] {
			if name = x.fieldOf(t.nodes[c].when); name != "" {
				break
			}
		}
	}
	if name == "" {
		name = "(path)"
	}
	return name
}

func (x *explainer) fieldOf(p predicate) string {
	switch p := p.(type) {
	case *simple:
		return x.slots[p.slot].name
	case *inSet:
		return x.slots[p.slot].name
	case *compound:
		for _, k := range p.kids {
			if n := x.fieldOf(k); n != "" {
				return n
			}
		}
	}
	return ""
}
