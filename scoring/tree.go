package scoring

import (
	"fmt"
	"math"
	"strconv"
)

// PMML 4.4.1, TreeModel.
type tree struct {
	nodes    []treeNode
	onGap    string // missingValueStrategy
	last     bool   // noTrueChildStrategy=returnLastPrediction
	penalty  float64
	class    bool
	classes  []string // in order of first appearance
	float    bool
	packed   *packedTree
	children []int32
}

type treeNode struct {
	when     predicate
	from, to int32 // of tree.children
	def      int32 // defaultChild; -1 none
	score    value // missing kind: none
	id       string
	count    float64 // recordCount; NaN unknown
	dist     []share // score distribution
	parent   int32
	embedded evaluator // an embedded Regression gives the score
}

type share struct {
	class              int // index of tree.classes
	count              float64
	p, confidence      float64
	hasP, hasConfident bool
}

var gapStrategies = map[string]bool{"": true, "none": true, "lastPrediction": true, "nullPrediction": true, "defaultChild": true, "weightedConfidence": true, "aggregateNodes": true}

func (b *binder) tree(s *scope, e *element, m *model) evaluator {
	t := &tree{onGap: e.get("missingValueStrategy"), class: m.function == "classification", penalty: b.numAttr(e, "missingValuePenalty", 1), float: m.float}
	if !gapStrategies[t.onGap] {
		b.bad.add(e, "", fmt.Sprintf("missingValueStrategy=%q is none", clip(t.onGap)), "want none, lastPrediction, nullPrediction, defaultChild, weightedConfidence or aggregateNodes")
	}
	switch n := e.get("noTrueChildStrategy"); n {
	case "", "returnNullPrediction":
	case "returnLastPrediction":
		t.last = true
	default:
		b.bad.add(e, "", fmt.Sprintf("noTrueChildStrategy=%q is none", clip(n)), "want returnNullPrediction or returnLastPrediction")
	}
	if (t.onGap == "weightedConfidence" || t.onGap == "aggregateNodes") && !t.class {
		b.bad.refuse(e, "missingValueStrategy="+t.onGap+" for a regression")
	}
	root := e.first("Node")
	if root == nil {
		b.bad.add(e, "", "the tree has no Node", "export it again")
		return nothing{}
	}
	scoreType := typeDouble
	if t.class {
		scoreType = typeString
	}
	// Depth first, with a stack of our own: a stranger's tree may be deep.
	type todo struct {
		e      *element
		parent int32
	}
	stack := []todo{{root, -1}}
	kids := map[int32][]int32{}
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		i := int32(len(t.nodes))
		n := treeNode{when: b.predicate(s, x.e), def: -1, id: x.e.get("id"), count: b.numAttr(x.e, "recordCount", math.NaN()), parent: x.parent}
		if n.id == "" {
			n.id = strconv.Itoa(int(i) + 1)
		}
		if txt, ok := x.e.lookup("score"); ok {
			v, ok := scoreType.parse(txt, 0)
			if !ok {
				b.bad.add(x.e, "", fmt.Sprintf("score=%q is no %v", clip(txt), scoreType), "mend it, or make the model a classification")
			}
			if t.float && v.k == number {
				v.f, v.f32 = float64(float32(v.f)), true
			}
			n.score = v
		}
		t.distribution(b, x.e, &n)
		if reg := x.e.first("Regression"); reg != nil {
			n.embedded = b.regression(s, reg, m)
		}
		for _, k := range x.e.kids {
			if k.name == "DecisionTree" {
				b.bad.refuse(k, "an embedded DecisionTree")
			}
		}
		if x.parent >= 0 {
			kids[x.parent] = append(kids[x.parent], i)
		}
		t.nodes = append(t.nodes, n)
		sub := x.e.all("Node")
		for j := len(sub) - 1; j >= 0; j-- {
			stack = append(stack, todo{sub[j], i})
		}
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		n.from = int32(len(t.children))
		t.children = append(t.children, kids[int32(i)]...)
		n.to = int32(len(t.children))
	}
	// defaultChild names an id.
	stackE := []*element{root}
	for i := 0; len(stackE) > 0; i++ {
		x := stackE[len(stackE)-1]
		stackE = stackE[:len(stackE)-1]
		n := &t.nodes[i]
		if d, ok := x.lookup("defaultChild"); ok {
			for _, c := range t.children[n.from:n.to] {
				if t.nodes[c].id == d {
					n.def = c
				}
			}
			if n.def < 0 {
				b.bad.add(x, "", fmt.Sprintf("defaultChild=%q is no child of the node", clip(d)), "name one of its children")
			}
		} else if t.onGap == "defaultChild" && n.to > n.from {
			b.bad.add(x, "", "missingValueStrategy=defaultChild, and the node names no defaultChild", "name one of its children")
		}
		sub := x.all("Node")
		for j := len(sub) - 1; j >= 0; j-- {
			stackE = append(stackE, sub[j])
		}
	}
	t.packed = pack(b.prog, t)
	return t
}

// distribution reads the ScoreDistributions of a node.
func (t *tree) distribution(b *binder, e *element, n *treeNode) {
	total, best := 0.0, -1
	for _, k := range e.all("ScoreDistribution") {
		sh := share{class: t.class_(k.get("value")), count: b.numAttr(k, "recordCount", 0)}
		if p, ok := k.lookup("probability"); ok {
			sh.p, sh.hasP = b.number(k, "probability", p), true
		}
		if c, ok := k.lookup("confidence"); ok {
			sh.confidence, sh.hasConfident = b.number(k, "confidence", c), true
		}
		total += sh.count
		n.dist = append(n.dist, sh)
	}
	for i := range n.dist {
		sh := &n.dist[i]
		if !sh.hasP && total > 0 {
			sh.p = sh.count / total
		}
		if !sh.hasConfident {
			sh.confidence = sh.p
			if total > 0 {
				sh.confidence = sh.count / total
			}
		}
		if best < 0 || sh.p > n.dist[best].p {
			best = i
		}
	}
	if n.score.k == missing && t.class && best >= 0 {
		n.score = str(t.classes[n.dist[best].class])
	}
	if t.class && n.score.k == text {
		t.class_(n.score.s)
	}
}

func (t *tree) class_(name string) int {
	for i, c := range t.classes {
		if c == name {
			return i
		}
	}
	t.classes = append(t.classes, name)
	return len(t.classes) - 1
}

func (t *tree) evaluate(r *row, out *result) {
	if t.packed != nil && !t.class {
		if leaf, ok := t.packed.run(r); ok {
			if leaf >= 0 {
				t.leaf(r, leaf, 0, out)
				out.path = append(out.path, leaf)
			}
			return
		}
	}
	levels := 0
	if t.nodes[0].when.test(r, &levels) != yes {
		return
	}
	at := int32(0)
	out.path = append(out.path, 0)
descend:
	for {
		n := &t.nodes[at]
		if n.from == n.to {
			t.leaf(r, at, levels, out)
			return
		}
		for _, c := range t.children[n.from:n.to] {
			switch t.nodes[c].when.test(r, &levels) {
			case yes:
				at = c
				out.path = append(out.path, c)
				continue descend
			case unknown:
				switch t.onGap {
				case "lastPrediction":
					t.leaf(r, at, levels, out)
					return
				case "nullPrediction":
					return
				case "defaultChild":
					levels++
					at = n.def
					out.path = append(out.path, at)
					continue descend
				case "weightedConfidence", "aggregateNodes":
					t.spread(r, at, levels, out)
					return
				}
			}
		}
		if t.last && (n.score.k != missing || n.embedded != nil) {
			t.leaf(r, at, levels, out)
		}
		return
	}
}

// leaf makes the result of a node where the walk ended.
func (t *tree) leaf(r *row, at int32, levels int, out *result) {
	n := &t.nodes[at]
	out.v, out.entity = n.score, n.id
	if n.embedded != nil {
		n.embedded.evaluate(r, out)
	}
	if !t.class {
		if t.float && out.v.k == number {
			out.v.f, out.v.f32 = float64(float32(out.v.f)), true
		}
		return
	}
	if len(n.dist) == 0 {
		return
	}
	out.classes = t.classes
	out.p = zeros(out.p, len(t.classes))
	s := 0.0
	for i := range n.dist {
		out.p[n.dist[i].class] += n.dist[i].p
		s += n.dist[i].p
	}
	if s != 0 && math.Abs(s-1) > 1e-12 {
		for i := range out.p {
			out.p[i] /= s
		}
	}
	penalty := 1.0
	for range levels {
		penalty *= t.penalty
	}
	out.confidence = make([]float64, len(t.classes))
	for i := range n.dist {
		out.confidence[n.dist[i].class] = n.dist[i].confidence * penalty
	}
}

func zeros(p []float64, n int) []float64 {
	p = p[:0]
	for range n {
		p = append(p, 0)
	}
	return p
}

// spread is weightedConfidence and aggregateNodes: all children that are not
// false, weighted by their records.
func (t *tree) spread(r *row, at int32, levels int, out *result) {
	weights := make([]float64, len(t.classes))
	if t.onGap == "aggregateNodes" {
		t.collect(r, at, weights)
		if s := sum(weights); s > 0 {
			for i := range weights {
				weights[i] /= s
			}
		}
	} else {
		t.weigh(r, at, 1, weights)
	}
	w := winner(weights)
	if w < 0 || weights[w] == 0 {
		return
	}
	out.v, out.classes = str(t.classes[w]), t.classes
	out.p = append(out.p[:0], weights...)
	out.confidence = weights
	_ = levels
}

func (t *tree) collect(r *row, at int32, into []float64) {
	n := &t.nodes[at]
	if n.from == n.to {
		for _, d := range n.dist {
			into[d.class] += d.count
		}
		return
	}
	for _, c := range t.children[n.from:n.to] {
		if t.nodes[c].when.test(r, nil) != no {
			t.collect(r, c, into)
		}
	}
}

func (t *tree) weigh(r *row, at int32, share float64, into []float64) {
	n := &t.nodes[at]
	if n.from == n.to {
		for _, d := range n.dist {
			into[d.class] += share * d.confidence
		}
		return
	}
	var open []int32
	total := 0.0
	for _, c := range t.children[n.from:n.to] {
		switch t.nodes[c].when.test(r, nil) {
		case yes:
			t.weigh(r, c, share, into)
			return
		case unknown:
			open = append(open, c)
			total += t.nodes[c].count
		}
	}
	for _, c := range open {
		t.weigh(r, c, share*t.nodes[c].count/total, into)
	}
}
