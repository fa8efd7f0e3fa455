package scoring

// Trees are explained along the path of the row (Saabas): the expected score of
// a node is the mean of its leaves, weighted by their records; each step's
// change belongs to the field that was asked there. Where the export has no
// record counts each leaf weighs the same; base and terms sum to the score
// either way.

// tree adds the terms of one tree. For a classification the score is the
// probability of the predicted class.
func (x *explainer) tree(t *tree, weight float64) bool {
	x.set("path")
	var res result
	walk := *t
	walk.packed = nil // the walk notes its path
	walk.evaluate(x.r, &res)
	if res.v.k == missing || len(res.path) == 0 {
		return false
	}
	score := func(n *treeNode) float64 { return n.score.f }
	if t.class {
		class := -1
		for i, c := range t.classes {
			if c == res.v.s {
				class = i
			}
		}
		score = func(n *treeNode) float64 {
			for _, d := range n.dist {
				if d.class == class {
					return d.p
				}
			}
			return 0
		}
	}
	mean, _ := t.mean(0, score)
	x.base += weight * mean
	for i, node := range res.path {
		next := score(&t.nodes[node])
		if i+1 < len(res.path) {
			next, _ = t.mean(res.path[i+1], score)
		}
		if i+1 == len(res.path) {
			if d := next - mean; d != 0 { // the walk ended above a leaf
				x.terms["(path)"] += weight * d
			}
			break
		}
		x.terms[x.asked(t, node, res.path[i+1])] += weight * (next - mean)
		mean = next
	}
	return true
}

// mean is the expected score below a node, and the records it rests on.
func (t *tree) mean(at int32, score func(*treeNode) float64) (m, n float64) {
	node := &t.nodes[at]
	if node.from == node.to {
		n = node.count
		if !(n > 0) {
			n = 1
		}
		return score(node), n
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
