package scoring

// forest is the sum of trees, in document order: each walk ends at a leaf whose
// k values are added to the row's.
type forest struct {
	k      int
	single bool // sums in 32 bits, as x-mathContext=float has it
	trees  []*codedTree
	parts  []forestPart
	vals   []float64
	vals32 []float32
}

// forestPart is a run of trees that share a coding.
type forestPart struct {
	coding   int // of the plan
	from, to int // among forest.trees
}

// codedTree is a tree as a table of decisions over coded columns. Children lie
// side by side; a leaf leads to itself, so that eight rows go down together
// without asking who has arrived.
//
//	node, 64 bits:  32 left child · 16 column · 16 code     right = left + 1
//	next = left + (x[column] > code)
type codedTree struct {
	walk, dense coded // dense: for rows in which nothing is missing
}

type coded struct {
	nodes []uint64
	leaf  []uint32 // by node: where its values begin; of leaves only
	depth int
	ask   bool // much deeper than its leaves mostly are: look who has arrived
}

// pack lays a lowered tree of so many nodes out. values appends a leaf's k values, by tree node.
func (f *forest) pack(l *lowered, nodes int, node func(s *split) (col, code int), values func(to []float64, leaf int32) []float64) coded {
	n := len(l.splits)
	out := coded{nodes: make([]uint64, n), leaf: make([]uint32, n), depth: l.depth}
	at := make([]int32, 1, n)         // splits in the order of their place, level by level
	offset := make([]uint32, nodes+1) // of a leaf's values, from 1; by its node, from 1: a walk may end at none
	sum, leaves := 0, 0
	level, next := 0, 1
	for i := 0; i < len(at); i++ {
		if i == next {
			level++
			next = len(at)
		}
		s := &l.splits[at[i]]
		if s.kind != 0 {
			col, code := node(s)
			out.nodes[i] = uint64(len(at))<<32 | uint64(col)<<16 | uint64(code)
			at = append(at, s.left, s.right)
			continue
		}
		sum, leaves = sum+level, leaves+1
		o := &offset[s.leaf+1]
		if *o == 0 {
			*o = uint32(len(f.vals)) + 1
			f.vals = values(f.vals, s.leaf)
		}
		out.nodes[i] = uint64(i)<<32 | goneCode
		out.leaf[i] = *o - 1
	}
	out.depth = level
	out.ask = level >= 8 && 3*level*leaves > 4*sum
	return out
}

// step goes one decision down. It is small and alone so that the comparison
// compiles to a flag, not to a jump that the processor would guess wrongly.
func step(nodes []uint64, x [][8]uint16, lane int, i uint32) uint32 {
	d := nodes[i]
	c := uint32(0)
	if x[uint16(d>>16)][lane] > uint16(d) {
		c = 1
	}
	return uint32(d>>32) + c
}

// descend takes eight rows down to their leaves.
func (t *coded) descend(x [][8]uint16) (a, b, c, d, e, f, g, h uint32) {
	nodes := t.nodes
	left := t.depth
	for left > 0 {
		steps := left
		if t.ask {
			steps = min(4, left)
		}
		left -= steps
		for range steps {
			a = step(nodes, x, 0, a)
			b = step(nodes, x, 1, b)
			c = step(nodes, x, 2, c)
			d = step(nodes, x, 3, d)
			e = step(nodes, x, 4, e)
			f = step(nodes, x, 5, f)
			g = step(nodes, x, 6, g)
			h = step(nodes, x, 7, h)
		}
		if t.ask && uint16(nodes[a]&nodes[b]&nodes[c]&nodes[d]&nodes[e]&nodes[f]&nodes[g]&nodes[h]) == goneCode {
			break
		}
	}
	return
}

// run adds the trees' values for a block's rows, by row, k each.
func (f *forest) run(k *block, acc []float64, acc32 []float32) {
	n := (k.n + 7) / 8
	if f.single {
		clear(acc32[:8*n*f.k])
	} else {
		clear(acc[:8*n*f.k])
	}
	for _, p := range f.parts {
		x, width, gaps := k.x[p.coding], k.p.codings[p.coding].width, k.gaps[p.coding]
		for _, t := range f.trees[p.from:p.to] {
			w := &t.walk
			if !gaps && t.dense.nodes != nil {
				w = &t.dense
			}
			for i := range n {
				xs := x[i*width : (i+1)*width]
				switch {
				case f.single:
					addLeaves(w, xs, acc32[8*i*f.k:], f.vals32, f.k)
				default:
					addLeaves(w, xs, acc[8*i*f.k:], f.vals, f.k)
				}
			}
		}
	}
}

func addLeaves[T float32 | float64](t *coded, x [][8]uint16, acc, vals []T, k int) {
	a, b, c, d, e, f, g, h := t.descend(x)
	leaf := t.leaf
	switch k {
	case 1:
		o := acc[:8]
		o[0] += vals[leaf[a]]
		o[1] += vals[leaf[b]]
		o[2] += vals[leaf[c]]
		o[3] += vals[leaf[d]]
		o[4] += vals[leaf[e]]
		o[5] += vals[leaf[f]]
		o[6] += vals[leaf[g]]
		o[7] += vals[leaf[h]]
		return
	case 2:
		o := acc[:16]
		add2(o[0:], vals[leaf[a]:])
		add2(o[2:], vals[leaf[b]:])
		add2(o[4:], vals[leaf[c]:])
		add2(o[6:], vals[leaf[d]:])
		add2(o[8:], vals[leaf[e]:])
		add2(o[10:], vals[leaf[f]:])
		add2(o[12:], vals[leaf[g]:])
		add2(o[14:], vals[leaf[h]:])
		return
	}
	for lane, i := range [8]uint32{a, b, c, d, e, f, g, h} {
		v := vals[leaf[i]:][:k]
		o := acc[lane*k:][:k]
		for j := range v {
			o[j] += v[j]
		}
	}
}

func add2[T float32 | float64](o, v []T) {
	o, v = o[:2], v[:2]
	o[0] += v[0]
	o[1] += v[1]
}
