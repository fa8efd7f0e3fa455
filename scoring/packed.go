package scoring

import "math"

// packedTree is a tree whose predicates compare numbers with constants, as a
// table of decisions "x < limit": yes goes one way, no the other. It is used
// where no input of the row is missing; the answer is the walk's, to the bit.
//
//	decision: slot · limit · yes · no     (next decision, or ^leaf node)
type packedTree struct {
	test  []decision
	slots []int // inputs, each once
}

type decision struct {
	limit   float64
	slot    int32
	yes, no int32
}

// noLeaf is where a walk ends without a result.
const noLeaf = math.MinInt32

// pack returns nil where the tree has anything but numeric comparisons.
func pack(p *program, t *tree) *packedTree {
	k := &packedTree{}
	seen := map[int]bool{}
	var build func(node int32, depth int) (int32, bool)
	var chain func(node int32, kids []int32, depth int) (int32, bool)
	build = func(node int32, depth int) (int32, bool) {
		n := &t.nodes[node]
		if depth > 4096 {
			return 0, false
		}
		if n.from == n.to {
			return ^node, n.embedded == nil
		}
		return chain(node, t.children[n.from:n.to], depth)
	}
	chain = func(node int32, kids []int32, depth int) (int32, bool) {
		n := &t.nodes[node]
		if len(kids) == 0 { // no child is true
			if t.last && n.score.k != missing {
				return ^node, n.embedded == nil
			}
			return noLeaf, true
		}
		c := &t.nodes[kids[0]]
		if f, ok := c.when.(fixed); ok {
			if tri(f) == yes {
				return build(kids[0], depth+1)
			}
			return chain(node, kids[1:], depth+1)
		}
		s, ok := c.when.(*simple)
		if !ok || s.order != nil || s.want.k == text || s.op == opEqual || s.op == opNotEqual || s.op >= opMissing || !p.slots[s.slot].typ.number() {
			return 0, false
		}
		limit, below := s.want.f, true // below: the child is true where x < limit
		switch s.op {
		case opLessEqual:
			limit = math.Nextafter(limit, math.Inf(1))
		case opGreater:
			limit, below = math.Nextafter(limit, math.Inf(1)), false
		case opGreaterEqual:
			below = false
		}
		if limit != limit || math.IsInf(limit, 0) {
			return 0, false
		}
		if !seen[s.slot] {
			seen[s.slot] = true
			k.slots = append(k.slots, s.slot)
		}
		i := int32(len(k.test))
		k.test = append(k.test, decision{limit: limit, slot: int32(s.slot)})
		hit, ok := build(kids[0], depth+1)
		if !ok {
			return 0, false
		}
		rest := kids[1:]
		// The usual second child asks the opposite: it need not be asked.
		if len(rest) > 0 {
			if o, ok := t.nodes[rest[0]].when.(*simple); ok && o.slot == s.slot && o.want.equal(s.want) && opposite(o.op, s.op) {
				miss, ok := build(rest[0], depth+1)
				if !ok {
					return 0, false
				}
				k.join(i, below, hit, miss)
				return i, true
			}
		}
		miss, ok := chain(node, rest, depth+1)
		if !ok {
			return 0, false
		}
		k.join(i, below, hit, miss)
		return i, true
	}
	if f, ok := t.nodes[0].when.(fixed); !ok || tri(f) != yes {
		return nil
	}
	if first, ok := build(0, 0); !ok || first != 0 {
		return nil
	}
	return k
}

func (k *packedTree) join(i int32, below bool, hit, miss int32) {
	if below {
		k.test[i].yes, k.test[i].no = hit, miss
	} else {
		k.test[i].yes, k.test[i].no = miss, hit
	}
}

func opposite(a, b comparison) bool {
	return a == opLess && b == opGreaterEqual || a == opGreaterEqual && b == opLess || a == opLessEqual && b == opGreater || a == opGreater && b == opLessEqual
}

// run returns the node where the walk ends, negative for none; ok is false
// where an input is missing and the walk has to decide.
func (k *packedTree) run(r *row) (leaf int32, ok bool) {
	clean := r.err == nil
	for _, s := range k.slots {
		v := r.get(s)
		if v.k == number || v.k == integer {
			continue
		}
		if clean && r.err != nil { // a bad value harms the row only if the walk reads it
			r.err = nil
			r.forget()
		}
		return 0, false
	}
	return k.walk(r.vals), true
}

func (k *packedTree) walk(vals []value) int32 {
	i := int32(0)
	for i >= 0 {
		d := &k.test[i]
		if vals[d.slot].f < d.limit {
			i = d.yes
		} else {
			i = d.no
		}
	}
	if i == noLeaf {
		return -1
	}
	return ^i
}
