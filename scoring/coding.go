package scoring

import (
	"math"
	"slices"
)

// A coding turns columns of numbers into columns of 16-bit codes, exactly: the
// code of x is how many of the column's cuts are below x, so that "x is greater
// than cut number j" is "code > j". A test that depends on the value alone, such
// as membership in a set, is a coded column of its own: 1 where it holds.
//
//	rows in eights:  x[(row/8)*width + column][row%8]
//
// Missing is code 0, or goneCode in a column where it shall go right.
type coding struct {
	feats []*feature
	of    map[int]*feature // by plan column
	width int
}

const (
	goneCode = math.MaxUint16
	maxCuts  = goneCode - 2
	maxWidth = 4096 // coded columns of one coding: 16 bytes for eight rows each
)

// feature is one column that is coded.
type feature struct {
	col   int // of the plan
	dict  *dictionary
	cuts  []float64 // ascending, then infinities up to a power of two
	n     int       // how many are cuts
	seen  map[float64]struct{}
	sets  []*setColumn
	low   int // coded columns; -1 none
	high  int
	isLow bool
	isUp  bool
}

// setColumn is a set's coded column.
type setColumn struct {
	set   *valueSet
	high  bool
	holds []uint16 // by code
	to    int
}

func newCoding() *coding { return &coding{of: map[int]*feature{}} }

func (g *coding) feature(c colRef) *feature {
	f, ok := g.of[c.col]
	if !ok {
		f = &feature{col: c.col, dict: c.dict, seen: map[float64]struct{}{}, low: -1, high: -1}
		g.of[c.col] = f
		g.feats = append(g.feats, f)
	}
	return f
}

// note makes room for what a tree asks; false where the coding is full.
func (g *coding) note(f *feature, a ask, sets []valueSet) bool {
	switch a.kind {
	case 'c':
		f.seen[a.cut] = struct{}{}
		f.isLow, f.isUp = f.isLow || !a.high, f.isUp || a.high
	case 'm':
		f.isUp = true
	case 's':
		s := &sets[a.set]
		if f.dict == nil {
			for _, v := range s.at {
				f.seen[v] = struct{}{}
				f.seen[math.Nextafter(v, math.Inf(-1))] = struct{}{}
			}
		}
		if f.setColumn(s, a.high) == nil {
			f.sets = append(f.sets, &setColumn{set: s, high: a.high})
		}
	}
	return len(f.seen) <= maxCuts
}

func (f *feature) setColumn(s *valueSet, high bool) *setColumn {
	for _, c := range f.sets {
		if c.set.key == s.key && c.high == high {
			return c
		}
	}
	return nil
}

// size is how many coded columns are asked for so far.
func (g *coding) size() int {
	n := 0
	for _, f := range g.feats {
		n += len(f.sets) + 2
	}
	return n
}

// finish lays the coded columns out.
func (g *coding) finish() {
	next := func() int { g.width++; return g.width - 1 }
	for _, f := range g.feats {
		f.cuts = f.cuts[:0]
		for c := range f.seen {
			f.cuts = append(f.cuts, c)
		}
		slices.Sort(f.cuts)
		f.n = len(f.cuts)
		size := 1
		for size <= f.n {
			size *= 2
		}
		for len(f.cuts) < size {
			f.cuts = append(f.cuts, inf)
		}
		if f.isLow {
			f.low = next()
		}
		if f.isUp {
			f.high = next()
		}
		for _, s := range f.sets {
			s.to = next()
			if f.dict != nil {
				s.holds = make([]uint16, len(f.dict.words)+1)
				for i, w := range f.dict.words {
					s.holds[i+1] = flag(s.set.of(str(w)) == yes)
				}
				s.holds[0] = flag(s.set.of(str("\x00 any other")) == yes)
				continue
			}
			s.holds = make([]uint16, f.n+1)
			for i := range s.holds { // of the values from one cut, itself excluded, to the next
				v := inf
				if i < f.n {
					v = f.cuts[i]
				}
				s.holds[i] = flag(s.set.of(value{k: number, f: v}) == yes)
			}
		}
	}
	if g.width == 0 {
		g.width = 1 // for leaves to look at
	}
}

func flag(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}

// at is the coded column and the code that a decision compares with.
func (g *coding) at(f *feature, a ask, sets []valueSet) (col, code int) {
	switch a.kind {
	case 'm':
		return f.high, goneCode - 1
	case 's':
		return f.setColumn(&sets[a.set], a.high).to, 0
	}
	i, _ := slices.BinarySearch(f.cuts[:f.n], a.cut)
	if a.high {
		return f.high, i
	}
	return f.low, i
}

// run codes the rows of a block into x and reports whether a value is missing.
func (g *coding) run(k *block, x [][8]uint16) (gaps bool) {
	for _, f := range g.feats {
		if f.run(k.col[f.col][:k.n], x, g.width) {
			gaps = true
		}
	}
	return gaps
}

func (f *feature) run(col []float64, x [][8]uint16, width int) (gaps bool) {
	var v [8]float64
	var code [8]uint16
	for at := 0; at < len(col); at += 8 {
		if n := copy(v[:], col[at:]); n < 8 {
			clear(v[n:])
		}
		gone := false
		for _, y := range v {
			gone = gone || y != y
		}
		if f.dict != nil {
			for i, y := range v {
				code[i] = uint16(y + 1) // NaN is told below
			}
		} else {
			rank8(f.cuts, &v, &code)
		}
		if gone {
			gaps = true
			for i, y := range v {
				if y != y {
					code[i] = 0
				}
			}
		}
		to := x[at/8*width : at/8*width+width]
		if f.low >= 0 {
			to[f.low] = code
		}
		for _, s := range f.sets {
			o := &to[s.to]
			for i, c := range code {
				o[i] = s.holds[c]
			}
			if gone {
				for i, y := range v {
					if y != y {
						o[i] = 0
						if s.high {
							o[i] = goneCode
						}
					}
				}
			}
		}
		if f.high >= 0 {
			if gone {
				for i, y := range v {
					if y != y {
						code[i] = goneCode
					}
				}
			}
			to[f.high] = code
		}
	}
	return gaps
}

// rank8 counts, for each of eight numbers, the cuts below it; len(cuts) is a
// power of two, and its last is infinite. Eight searches go side by side, each
// without a branch that depends on the numbers.
func rank8(cuts []float64, v *[8]float64, to *[8]uint16) {
	var a, b, c, d, e, f, g, h uint
	for half := uint(len(cuts)) / 2; half > 0; half /= 2 {
		a = probe(cuts, v[0], a, half)
		b = probe(cuts, v[1], b, half)
		c = probe(cuts, v[2], c, half)
		d = probe(cuts, v[3], d, half)
		e = probe(cuts, v[4], e, half)
		f = probe(cuts, v[5], f, half)
		g = probe(cuts, v[6], g, half)
		h = probe(cuts, v[7], h, half)
	}
	*to = [8]uint16{uint16(a), uint16(b), uint16(c), uint16(d), uint16(e), uint16(f), uint16(g), uint16(h)}
}

// probe is small and alone so that the comparison compiles to a flag, not a jump.
func probe(cuts []float64, x float64, at, half uint) uint {
	c := uint(0)
	if cuts[at+half-1] < x {
		c = 1
	}
	return at + (-c & half)
}
