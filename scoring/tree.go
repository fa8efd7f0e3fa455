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
	classes  []string       // in order of first appearance
	at       map[string]int // of classes, while they are bound
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
	t.nodes = make([]treeNode, 0, root.count("Node"))
	named := t.onGap == "defaultChild" // some node names its default child, or should
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
		if k := x.e.first("Regression", "DecisionTree"); k != nil {
			sub := b.embedded(s, k, m)
			n.embedded = sub.eval
			for _, c := range sub.classes {
				t.class_(c)
			}
		}
		if (t.onGap == "weightedConfidence" || t.onGap == "aggregateNodes") && !(n.records() > 0) {
			b.bad.add(x.e, "", fmt.Sprintf("missingValueStrategy=%s, and node %s has no recordCount", t.onGap, clip(n.id)), "give the nodes their recordCount: it is what they are weighed by")
		}
		if _, ok := x.e.lookup("defaultChild"); ok {
			named = true
		}
		t.nodes = append(t.nodes, n)
		for j := len(x.e.kids) - 1; j >= 0; j-- {
			if k := x.e.kids[j]; k.name == "Node" {
				stack = append(stack, todo{k, i})
			}
		}
	}
	t.adopt()
	// defaultChild names an id.
	var stackE []*element
	if named {
		stackE = append(stackE, root)
	}
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
	t.at = nil
	t.packed = pack(b.prog, t)
	return t
}

// adopt lists each node's children, which come after it and in order.
func (t *tree) adopt() {
	for i := 1; i < len(t.nodes); i++ {
		t.nodes[t.nodes[i].parent].to++
	}
	at := int32(0)
	for i := range t.nodes {
		n := &t.nodes[i]
		n.from, n.to, at = at, at, at+n.to
	}
	t.children = make([]int32, at)
	for i := 1; i < len(t.nodes); i++ {
		p := &t.nodes[t.nodes[i].parent]
		t.children[p.to] = int32(i)
		p.to++
	}
}

// distribution reads the ScoreDistributions of a node.
func (t *tree) distribution(b *binder, e *element, n *treeNode) {
	total, best := 0.0, -1
	from := len(b.dists)
	for _, k := range e.kids {
		if k.name != "ScoreDistribution" {
			continue
		}
		sh := share{class: t.class_(k.get("value")), count: b.numAttr(k, "recordCount", 0)}
		if p, ok := k.lookup("probability"); ok {
			sh.p, sh.hasP = b.number(k, "probability", p), true
		}
		if c, ok := k.lookup("confidence"); ok {
			sh.confidence, sh.hasConfident = b.number(k, "confidence", c), true
		}
		total += sh.count
		if len(b.dists) == cap(b.dists) { // a new slab; this node's move along
			own := b.dists[from:]
			b.dists = append(make([]share, 0, max(256, 2*len(own))), own...)
			from = 0
		}
		b.dists = append(b.dists, sh)
	}
	if to := len(b.dists); to > from {
		n.dist = b.dists[from:to:to]
	}
	given := 0.0 // by probability attributes: brought to a sum of one, as JPMML does, to the last bit
	for i := range n.dist {
		if n.dist[i].hasP {
			given += n.dist[i].p
		}
	}
	for i := range n.dist {
		sh := &n.dist[i]
		switch {
		case sh.hasP && given != 0:
			sh.p /= given
		case !sh.hasP && total > 0:
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
	i, ok := t.at[name]
	if !ok {
		i = len(t.classes)
		if t.at == nil {
			t.at = map[string]int{}
		}
		t.at[name] = i
		t.classes = append(t.classes, name)
	}
	return i
}

// records is a node's weight: its recordCount, or that of its distribution.
func (n *treeNode) records() float64 {
	if n.count == n.count {
		return n.count
	}
	s := 0.0
	for _, d := range n.dist {
		s += d.count
	}
	return s
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
	out.levels = 0
	levels := &out.levels
	if t.nodes[0].when.test(r, levels) != yes {
		return
	}
	at := int32(0)
	out.path = append(out.path, 0)
descend:
	for {
		n := &t.nodes[at]
		if n.from == n.to {
			t.leaf(r, at, *levels, out)
			return
		}
		for _, c := range t.children[n.from:n.to] {
			switch t.nodes[c].when.test(r, levels) {
			case yes:
				at = c
				out.path = append(out.path, c)
				continue descend
			case unknown:
				switch t.onGap {
				case "lastPrediction":
					t.leaf(r, at, *levels, out)
					return
				case "nullPrediction":
					return
				case "defaultChild":
					*levels++
					at = n.def
					out.path = append(out.path, at)
					continue descend
				case "weightedConfidence", "aggregateNodes":
					t.spread(r, at, *levels, out)
					return
				}
			}
		}
		if t.last && (n.score.k != missing || n.embedded != nil) {
			t.leaf(r, at, *levels, out)
		}
		return
	}
}

// leaf makes the result of a node where the walk ended.
func (t *tree) leaf(r *row, at int32, levels int, out *result) {
	n := &t.nodes[at]
	out.v, out.entity = n.score, n.id
	if n.embedded != nil {
		path := len(out.path)
		n.embedded.evaluate(r, out)
		out.path = out.path[:path] // of this tree alone
		if t.class {
			return
		}
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
	for i := range n.dist {
		out.p[n.dist[i].class] += n.dist[i].p
	}
	out.conf = zeros(out.conf, len(t.classes))
	for i := range n.dist {
		out.conf[n.dist[i].class] = float64(n.dist[i].confidence * t.penalised(levels))
	}
	out.confidence = out.conf
}

// penalised is what is left of a confidence after so many missing values.
func (t *tree) penalised(levels int) float64 {
	penalty := 1.0
	for range levels {
		penalty = float64(penalty * t.penalty)
	}
	return penalty
}

func zeros(p []float64, n int) []float64 {
	p = p[:0]
	for range n {
		p = append(p, 0)
	}
	return p
}

// spread is weightedConfidence and aggregateNodes, from the node where a child
// is unknown: that child and all after it that are not false, weighed by their
// records. PMML 4.4.1, TreeModel; for a regression, where it says nothing, the
// mean of the scores, weighed alike.
func (t *tree) spread(r *row, at int32, levels int, out *result) {
	x := spreading{t: t, r: r, levels: levels, weights: make([]float64, len(t.classes))}
	if t.onGap == "aggregateNodes" {
		x.collect(at)
	} else {
		x.weigh(at, 1)
	}
	if !(x.records > 0) {
		return
	}
	if !t.class {
		out.v = value{k: number, f32: t.float, f: x.score / x.records}
		if t.float {
			out.v.f = float64(float32(out.v.f))
		}
		return
	}
	if t.onGap == "aggregateNodes" {
		if s := sum(x.weights); s > 0 {
			for i := range x.weights {
				x.weights[i] /= s
			}
		}
	}
	w := winner(x.weights)
	if w < 0 || x.weights[w] == 0 {
		return
	}
	out.v, out.classes = str(t.classes[w]), t.classes
	out.p = append(out.p[:0], x.weights...)
	out.conf = append(out.conf[:0], x.weights...)
	for i := range out.conf {
		out.conf[i] = float64(out.conf[i] * t.penalised(x.levels))
	}
	out.confidence = out.conf
	if s := sum(out.p); s > 0 && s != 1 {
		for i := range out.p {
			out.p[i] /= s
		}
	}
}

type spreading struct {
	t       *tree
	r       *row
	levels  int
	weights []float64 // by class
	score   float64   // of a regression: sum of records times scores
	records float64
}

// open are the children that are gone to: the first that is true, if none is
// unknown before it; else those from the first unknown on that are not false.
func (x *spreading) open(n *treeNode) []int32 {
	var out []int32
	for _, c := range x.t.children[n.from:n.to] {
		switch x.t.nodes[c].when.test(x.r, &x.levels) {
		case yes:
			if out = append(out, c); len(out) == 1 {
				return out
			}
		case unknown:
			out = append(out, c)
		}
	}
	return out
}

// ends reports whether the walk ends at the node, with its score: at a leaf,
// or where no child is open and the tree says so.
func (x *spreading) ends(n *treeNode, open []int32) bool {
	return n.from == n.to || len(open) == 0 && x.t.last
}

func (x *spreading) collect(at int32) {
	n := &x.t.nodes[at]
	open := x.open(n)
	if x.ends(n, open) {
		records := n.records()
		if n.score.k == number {
			x.score += float64(records * n.score.f)
		}
		x.records += records
		for _, d := range n.dist {
			x.weights[d.class] += d.count
		}
	}
	for _, c := range open {
		x.collect(c)
	}
}

func (x *spreading) weigh(at int32, share float64) {
	n := &x.t.nodes[at]
	open := x.open(n)
	if x.ends(n, open) {
		if n.score.k == number {
			x.score += float64(share * n.score.f)
		}
		x.records += share
		for _, d := range n.dist {
			x.weights[d.class] += float64(share * d.confidence)
		}
	}
	total := 0.0
	for _, c := range open {
		total += x.t.nodes[c].records()
	}
	for _, c := range open {
		x.weigh(c, share*x.t.nodes[c].records()/total)
	}
}
