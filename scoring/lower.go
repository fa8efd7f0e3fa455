package scoring

import (
	"fmt"
	"math"
	"strings"
)

// A tree is lowered to decisions with two ways out: is the code of a column
// greater than a number? The three truth values of PMML's predicates become
// places to go on at, so that what happens with a missing value is decided here
// and costs nothing where it goes the way of yes or of no.

// ask is what a decision asks of a slot's value; its yes goes right.
type ask struct {
	slot int
	kind byte    // 'c' greater than cut, 's' in a set, 'm' missing, 0 a leaf
	high bool    // a missing value goes right
	cut  float64 // of 'c'
	set  int     // of 's': among lowerer.sets
}

// split is a decision, or a leaf: the node where the walk ends, -1 for none.
type split struct {
	ask
	left, right int32
	leaf        int32
}

// lowered is a tree of decisions; the first is the root.
type lowered struct {
	splits []split
	depth  int
	gapped bool // it asks whether values are missing, beside the tree's own tests
}

// valueSet is a test that depends on the value alone.
type valueSet struct {
	slot  int
	key   string
	of    func(value) tri
	at    []float64 // where its answer may change, for a number
	words []string  // that it tells from others
}

// cont is where a walk goes on.
type cont struct {
	kind byte // 'n' into a node, 'k' at a node's child, 'l' a node's score is the result, '0' no result, 'p' within a compound predicate
	node int32
	at   int32
	rest *rest
}

// rest is what is left of a compound predicate.
type rest struct {
	c             *compound
	i             int
	flag          bool // a child was unknown; of xor: an odd number was true
	yes, no, gone cont
}

// knowledge is what a walk knows of a slot.
type knowledge byte

const (
	untold knowledge = iota
	there
	absent
)

type lowerer struct {
	t      *tree
	slots  []slot
	sets   *[]valueSet
	setOf  map[string]int
	dense  bool        // nothing is missing
	known  []knowledge // by slot, on this path
	out    lowered
	budget int
}

// lower returns nil where the tree has what decisions cannot say.
func (l *lowerer) lower(t *tree, dense bool) *lowered {
	l.t, l.dense, l.known, l.out = t, dense, sized(l.known, len(l.slots)), lowered{splits: make([]split, 0, len(t.nodes))}
	clear(l.known)
	l.budget = 8*len(t.nodes) + 256
	switch t.onGap {
	case "", "none", "lastPrediction", "nullPrediction", "defaultChild":
	default:
		return nil
	}
	for i := range t.nodes {
		if t.nodes[i].embedded != nil {
			return nil
		}
	}
	end := cont{kind: '0'}
	if _, ok := l.test(t.nodes[0].when, cont{kind: 'n'}, end, end, 0); !ok {
		return nil
	}
	out := l.out
	return &out
}

// maxLoweredDepth bounds what a row pays for a tree that is one long chain.
const maxLoweredDepth = 1000

func (l *lowerer) leaf(node int32, depth int) (int32, bool) {
	l.out.depth = max(l.out.depth, depth)
	l.out.splits = append(l.out.splits, split{leaf: node})
	l.budget--
	return int32(len(l.out.splits) - 1), l.budget > 0
}

// to emits what comes at c and returns its first decision.
func (l *lowerer) to(c cont, depth int) (int32, bool) {
	if depth > maxLoweredDepth {
		return 0, false
	}
	switch c.kind {
	case '0':
		return l.leaf(-1, depth)
	case 'l':
		return l.leaf(c.node, depth)
	case 'n':
		n := &l.t.nodes[c.node]
		if n.from == n.to {
			return l.leaf(c.node, depth)
		}
		return l.kids(c.node, 0, depth)
	case 'k':
		return l.kids(c.node, c.at, depth)
	}
	return l.compound(c.rest, depth)
}

// kids asks a node's children in order, from one on.
func (l *lowerer) kids(node, at int32, depth int) (int32, bool) {
	n := &l.t.nodes[node]
	kids := l.t.children[n.from:n.to]
	if int(at) >= len(kids) {
		if l.t.last && n.score.k != missing {
			return l.leaf(node, depth)
		}
		return l.leaf(-1, depth)
	}
	when := l.t.nodes[kids[at]].when
	yes, no := cont{kind: 'n', node: kids[at]}, cont{kind: 'k', node: node, at: at + 1}
	gone := no
	// The usual second child asks the opposite: it need not be asked.
	if int(at)+1 < len(kids) && opposites(when, l.t.nodes[kids[at+1]].when) {
		no, gone.at = cont{kind: 'n', node: kids[at+1]}, at+2
	}
	switch l.t.onGap {
	case "lastPrediction":
		gone = cont{kind: 'l', node: node}
	case "nullPrediction":
		gone = cont{kind: '0'}
	case "defaultChild":
		if n.def < 0 {
			return 0, false
		}
		gone = cont{kind: 'n', node: n.def}
	}
	return l.test(when, yes, no, gone, depth)
}

// opposites reports whether b is true exactly where a is false.
func opposites(a, b predicate) bool {
	switch x := a.(type) {
	case *simple:
		y, ok := b.(*simple)
		return ok && x.slot == y.slot && x.op < opMissing && x.want.equal(y.want) && x.want.k != missing &&
			(opposite(x.op, y.op) || x.op == opEqual && y.op == opNotEqual || x.op == opNotEqual && y.op == opEqual)
	case *inSet:
		y, ok := b.(*inSet)
		if !ok || x.slot != y.slot || x.not == y.not || len(x.set) != len(y.set) {
			return false
		}
		for i := range x.set {
			if !x.set[i].equal(y.set[i]) {
				return false
			}
		}
		return true
	}
	return false
}

// test emits the decisions of a predicate.
func (l *lowerer) test(p predicate, y, n, gone cont, depth int) (int32, bool) {
	switch p := p.(type) {
	case fixed:
		switch tri(p) {
		case yes:
			return l.to(y, depth)
		case no:
			return l.to(n, depth)
		}
		return l.to(gone, depth)
	case *simple:
		switch p.op {
		case opMissing:
			return l.missing(p.slot, y, n, depth)
		case opNotMissing:
			return l.missing(p.slot, n, y, depth)
		}
		if p.order != nil || p.op <= opNotEqual || l.slots[p.slot].typ == typeString {
			return l.decide(p.slot, l.set(p.slot, p, p.of, append([]value{p.want}, p.order...)), y, n, gone, depth)
		}
		a := ask{slot: p.slot, kind: 'c', cut: p.want.f}
		if p.op == opLess || p.op == opGreaterEqual {
			a.cut = math.Nextafter(a.cut, math.Inf(-1))
		}
		if p.want.k == text || p.want.f != p.want.f || math.IsInf(p.want.f, 0) {
			return 0, false
		}
		if p.op == opLess || p.op == opLessEqual {
			y, n = n, y // right is where x is greater
		}
		return l.decide(p.slot, a, y, n, gone, depth)
	case *inSet:
		return l.decide(p.slot, l.set(p.slot, p, p.of, p.set), y, n, gone, depth)
	case *compound:
		if len(p.kids) == 2 { // missing or …; not missing and …
			for i, k := range p.kids {
				m, ok := k.(*simple)
				o, isOne := slotOf(p.kids[1-i])
				if !ok || !isOne || o != m.slot {
					continue
				}
				if p.op == '|' && m.op == opMissing {
					return l.test(p.kids[1-i], y, n, y, depth)
				}
				if p.op == '&' && m.op == opNotMissing {
					return l.test(p.kids[1-i], y, n, n, depth)
				}
			}
		}
		return l.compound(&rest{c: p, yes: y, no: n, gone: gone}, depth)
	}
	return 0, false
}

// slotOf is the slot whose value p compares.
func slotOf(p predicate) (int, bool) {
	switch p := p.(type) {
	case *simple:
		return p.slot, p.op < opMissing
	case *inSet:
		return p.slot, true
	}
	return 0, false
}

func (l *lowerer) compound(r *rest, depth int) (int32, bool) {
	if r.i == len(r.c.kids) {
		switch {
		case r.c.op == 's', r.flag && r.c.op != '^':
			return l.to(r.gone, depth)
		case r.c.op == '&', r.flag:
			return l.to(r.yes, depth)
		}
		return l.to(r.no, depth)
	}
	next := func(flag bool) cont {
		x := *r
		x.i, x.flag = r.i+1, flag
		return cont{kind: 'p', rest: &x}
	}
	on := next(r.flag)
	unknownSeen := on
	if !r.flag {
		unknownSeen = next(true)
	}
	kid := r.c.kids[r.i]
	switch r.c.op {
	case '&':
		return l.test(kid, on, r.no, unknownSeen, depth)
	case '|':
		return l.test(kid, r.yes, on, unknownSeen, depth)
	case '^':
		return l.test(kid, next(!r.flag), on, r.gone, depth)
	}
	return l.test(kid, r.yes, r.no, on, depth)
}

// missing goes to y where the slot is missing, else to n.
func (l *lowerer) missing(slot int, y, n cont, depth int) (int32, bool) {
	switch k := l.known[slot]; {
	case l.dense || k == there:
		return l.to(n, depth)
	case k == absent:
		return l.to(y, depth)
	}
	return l.emit(ask{slot: slot, kind: 'm', high: true}, func() (int32, bool) {
		return l.under(slot, there, n, depth+1)
	}, func() (int32, bool) {
		return l.under(slot, absent, y, depth+1)
	})
}

// under goes on at c, knowing whether slot is missing.
func (l *lowerer) under(slot int, k knowledge, c cont, depth int) (int32, bool) {
	was := l.known[slot]
	l.known[slot] = k
	at, ok := l.to(c, depth)
	l.known[slot] = was
	return at, ok
}

// decide asks a: right to y, left to n, and a missing value to gone.
func (l *lowerer) decide(slot int, a ask, y, n, gone cont, depth int) (int32, bool) {
	k := l.known[slot]
	switch {
	case k == absent:
		return l.to(gone, depth)
	case l.dense || k == there || gone == n:
	case gone == y:
		a.high = true
	default:
		l.out.gapped = true
		return l.emit(ask{slot: slot, kind: 'm', high: true}, func() (int32, bool) {
			l.known[slot] = there
			at, ok := l.decide(slot, a, y, n, gone, depth+1)
			l.known[slot] = untold
			return at, ok
		}, func() (int32, bool) {
			return l.under(slot, absent, gone, depth+1)
		})
	}
	side := func(c cont, mayBeGone bool) func() (int32, bool) {
		return func() (int32, bool) {
			if mayBeGone && k == untold && !l.dense {
				return l.to(c, depth+1)
			}
			return l.under(slot, there, c, depth+1)
		}
	}
	return l.emit(a, side(n, !a.high), side(y, a.high))
}

func (l *lowerer) emit(a ask, left, right func() (int32, bool)) (int32, bool) {
	i := len(l.out.splits)
	l.out.splits = append(l.out.splits, split{ask: a})
	if l.budget--; l.budget <= 0 {
		return 0, false
	}
	x, ok := left()
	if !ok {
		return 0, false
	}
	y, ok := right()
	l.out.splits[i].left, l.out.splits[i].right = x, y
	return int32(i), ok
}

// set notes a test that depends on the value alone, and tells those values from others.
func (l *lowerer) set(slot int, p predicate, of func(value) tri, tells []value) ask {
	var key strings.Builder
	fmt.Fprint(&key, slot)
	s := valueSet{slot: slot, of: of}
	switch p := p.(type) {
	case *simple:
		fmt.Fprint(&key, " op ", p.op, p.order != nil)
	case *inSet:
		fmt.Fprint(&key, " in ", p.not)
	}
	for _, v := range tells {
		fmt.Fprintf(&key, " %d %x %q", v.k, v.f, v.s)
		if v.k == text {
			s.words = append(s.words, v.s)
		} else {
			s.at = append(s.at, v.f)
		}
	}
	s.key = key.String()
	i, ok := l.setOf[s.key]
	if !ok {
		i = len(*l.sets)
		l.setOf[s.key] = i
		*l.sets = append(*l.sets, s)
	}
	return ask{slot: slot, kind: 's', set: i}
}
