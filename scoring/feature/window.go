package feature

// groupState is what is kept of a group so that a tick costs a few merges, and
// not a window's. It can always be made again of the samples and tiles, to the
// same bits: what is merged with what depends on the second since 1970 alone.
//
// A window of w seconds that ends with second t lies over blocks of w seconds:
//
//	      block−w              block            t
//	─────────┴──────┬────────────┴──────────────┤
//	                └─ from the right ─┘└─ from the left ─┘
//
// What lies before the block is merged from the right (each second's sum, then
// all after it), what lies in it from the left.
type groupState struct {
	epoch   uint32
	block   int64 // first second of the block; 0: nothing is kept
	made    int64 // first second whose sum from the right is made
	through int64 // last second in prefix
	prefix  tile
	lights  []light   // by second − (block−w): sums from the right
	tiles   []tile    // the same, where there are moments
	sums    []weighed // the same, of an ewma

	minute int64   // of whole, or of whole tiles in fold
	whole  tile    // of all tiles before the minute
	fold   weighed // of an ewma

	first, last int64     // seconds whose samples are in sorted
	sorted      []float64 // ascending
}

// weighed is a weighted sum of means, and of their weights.
type weighed struct{ sum, weight float64 }

func (w *weighed) add(weight, mean float64) {
	w.sum += float64(weight * mean)
	w.weight += weight
}

func (w *weighed) value() float64 {
	if w.weight == 0 {
		return nan
	}
	return w.sum / w.weight
}

// Read computes every feature at a tick, Unix ns of the start of a second, over
// windows that end with that second: the value of feature i goes to num[to[i]].
// NaN is missing. What the plan leaves for later stays as it is.
func (s *State) Read(tick int64, num []float64, to []int) {
	at := floorDiv(tick, ns)
	for i := range s.plan.groups {
		if !s.plan.groups[i].later {
			s.group(i, at, num, to)
		}
	}
	s.readWaves(at, num, to)
	for _, i := range s.plan.events {
		n := &s.plan.names[i]
		v := nan
		for _, t := range s.events[n.Word] {
			if d := float64(at) - t; d >= 0 {
				v = d / n.Unit.Seconds()
			}
		}
		num[to[i]] = v
	}
}

// ReadLater computes what Read leaves out. The values are those that Read would
// have given, as long as no sample at or before the tick has come since.
func (s *State) ReadLater(tick int64, num []float64, to []int) {
	at := floorDiv(tick, ns)
	for i := range s.plan.groups {
		if s.plan.groups[i].later {
			s.group(i, at, num, to)
		}
	}
}

func (s *State) group(i int, at int64, num []float64, to []int) {
	g := &s.plan.groups[i]
	if s.waves != nil && len(s.waves[g.channel]) > 0 {
		return // a waveform
	}
	c := &s.chans[g.channel]
	var a tile
	if c.newest > 0 && at >= earliest {
		st := &s.groups[i]
		if st.epoch != c.epoch {
			st.epoch, st.block, st.minute, st.last = c.epoch, 0, 0, 0
		}
		switch {
		case g.kind == ofLag:
			v := s.lag(g, at)
			for k := range g.of {
				num[to[g.of[k].out]] = s.judged(&g.of[k], at, v)
			}
			return
		case g.kind == ofEWMA:
			v := s.ewma(g, st, at)
			for k := range g.of {
				num[to[g.of[k].out]] = s.judged(&g.of[k], at, v)
			}
			return
		case g.unit > 1:
			s.minutes(&a, g, st, at)
		default:
			if g.tiles {
				s.window(&a, g, st, at)
			}
			if g.raw {
				s.sort(g, st, at)
			}
		}
	} else {
		s.scratch[0] = s.scratch[0][:0]
	}
	for k := range g.of {
		m := &g.of[k]
		var v float64
		switch m.fn {
		case fnMedian:
			v = quantile(s.scratch[0], 50)
		case fnQ:
			v = quantile(s.scratch[0], m.p)
		case fnDistinct:
			v = distinct(s.scratch[0])
		default:
			v = a.value(m.fn)
		}
		num[to[m.out]] = s.judged(m, at, v)
	}
}

// amending returns another place to work in, where at is before what is kept.
func (s *State) amending(st *groupState, past bool) *groupState {
	if !past {
		return st
	}
	s.spare.block, s.spare.minute, s.spare.last = 0, 0, 0
	return &s.spare
}

// folds notes that some group has folded all up to second at.
func (c *channelState) folds(at int64) { c.folded = max(c.folded, at) }

// window sums a window of seconds that ends with second at.
func (s *State) window(a *tile, g *group, st *groupState, at int64) {
	w := g.window
	lo := at - w + 1
	c := &s.chans[g.channel]
	if c.newest < lo {
		return
	}
	st = s.amending(st, st.block != 0 && at <= st.through)
	block := at - at%w
	if st.block != block {
		st.block, st.made, st.through, st.prefix = block, block, block-1, tile{}
		if g.heavy {
			st.tiles = sized(st.tiles, int(w))
		} else {
			st.lights = sized(st.lights, int(w))
		}
	}
	base := block - w
	if lo < st.made {
		if g.heavy {
			s.fromRight(g, st, base, lo)
		} else {
			s.fromRightLight(g, st, base, lo)
		}
		st.made = lo
	}
	for x := max(st.through+1, block); x < at; x++ {
		t := s.sum(g.channel, g.gate, x)
		switch {
		case t == nil:
		case g.heavy:
			st.prefix.merge(t, float64(x-block))
		default:
			st.prefix.light.merge(&t.light, float64(x-block))
		}
	}
	st.through = at - 1
	c.folds(at - 1)
	now := s.sum(g.channel, g.gate, at)
	if g.heavy {
		head := st.prefix
		if now != nil {
			head.merge(now, float64(at-block))
		}
		if lo >= block {
			*a = head
			return
		}
		*a = st.tiles[lo-base]
		a.merge(&head, float64(block-lo))
		return
	}
	head := st.prefix.light
	if now != nil {
		head.merge(&now.light, float64(at-block))
	}
	if lo >= block {
		a.light = head
		return
	}
	a.light = st.lights[lo-base]
	a.light.merge(&head, float64(block-lo))
}

// fromRight makes the sums from the right of seconds lo … st.made−1.
func (s *State) fromRight(g *group, st *groupState, base, lo int64) {
	var acc tile
	if st.made < st.block {
		acc = st.tiles[st.made-base]
	}
	for x := st.made - 1; x >= lo; x-- {
		if xs := s.samples(g.channel, g.gate, x); xs != nil {
			var t tile
			t.of(xs)
			t.merge(&acc, 1)
			acc = t
		} else {
			acc.t0, acc.t1, acc.tm = acc.t0+1, acc.t1+1, acc.tm+1
		}
		st.tiles[x-base] = acc
	}
}

func (s *State) fromRightLight(g *group, st *groupState, base, lo int64) {
	var acc light
	if st.made < st.block {
		acc = st.lights[st.made-base]
	}
	for x := st.made - 1; x >= lo; x-- {
		if xs := s.samples(g.channel, g.gate, x); xs != nil {
			var t light
			t.of(xs)
			t.merge(&acc, 1)
			acc = t
		} else {
			acc.t0, acc.t1 = acc.t0+1, acc.t1+1
		}
		st.lights[x-base] = acc
	}
}

// minutes sums a window of minutes or hours that ends with second at.
func (s *State) minutes(a *tile, g *group, st *groupState, at int64) {
	h, m := at/3600, at/60
	origin := (m - g.window/60 + 1) * 60
	if g.unit == 3600 {
		origin = (h - g.window/3600 + 1) * 3600
	}
	if s.chans[g.channel].newest < origin {
		return
	}
	st = s.amending(st, m < st.minute)
	if st.minute != m {
		from := origin / 60
		switch {
		case g.unit == 3600 && st.minute > 0 && st.minute/60 == h: // the hours before are merged, and minutes up to st.minute
			from = st.minute
		case g.unit == 3600:
			st.whole = tile{}
			for x := origin / 3600; x < h; x++ {
				if t := s.hour(g.channel, g.gate, x); t != nil {
					st.whole.merge(t, float64(x*3600-origin))
				}
			}
			from = h * 60
		default:
			st.whole = tile{}
		}
		st.minute = m
		for x := from; x < m; x++ {
			if t := s.minute(g.channel, g.gate, x); t != nil {
				st.whole.merge(t, float64(x*60-origin))
			}
		}
		s.chans[g.channel].folds(m*60 - 1)
	}
	*a = st.whole
	now := s.part(g.channel, g.gate, at)
	a.merge(&now, float64(m*60-origin))
}

// part is the sum of at's minute up to second at.
func (s *State) part(ch, g int, at int64) tile {
	c := &s.chans[ch]
	p := &c.gates[g].part
	m := at / 60
	var t tile
	if p.epoch == c.epoch && at <= p.through { // a tick that is amended
		s.seconds(&t, ch, g, m*60, m*60, at)
		return t
	}
	if p.epoch != c.epoch || p.minute != m {
		*p = part{epoch: c.epoch, minute: m, through: m*60 - 1}
	}
	s.extend(p, ch, g, at-1)
	t = p.sum
	if x := s.sum(ch, g, at); x != nil {
		t.merge(x, float64(at-m*60))
	}
	return t
}

// extend folds seconds up to at into the minute that is not over.
func (s *State) extend(p *part, ch, g int, at int64) {
	for x := p.through + 1; x <= at; x++ {
		if t := s.sum(ch, g, x); t != nil {
			p.sum.merge(t, float64(x-p.minute*60))
		}
	}
	p.through = max(p.through, at)
	s.chans[ch].folds(at)
}

// ewma weighs the means of tiles by their age; a tile without samples has no weight.
func (s *State) ewma(g *group, st *groupState, at int64) float64 {
	n := int64(len(g.weights))
	c := &s.chans[g.channel]
	if c.newest < (at/g.unit-n+1)*g.unit {
		return nan
	}
	if g.unit == 1 {
		return s.ewmaSeconds(g, st, at)
	}
	m := at / 60
	st = s.amending(st, m < st.minute)
	if st.minute != m {
		st.minute, st.fold, st.whole = m, weighed{}, tile{}
		now, of := at/g.unit, s.minute
		if g.unit == 3600 {
			of = s.hour
		}
		for i := n - 1; i > 0; i-- { // oldest first
			if t := of(g.channel, g.gate, now-i); t != nil && t.n > 0 {
				st.fold.add(g.weights[i], t.sum/t.n)
			}
		}
		if g.unit == 3600 {
			for x := now * 60; x < m; x++ {
				if t := s.minute(g.channel, g.gate, x); t != nil {
					st.whole.light.merge(&t.light, float64(x*60-now*3600))
				}
			}
		}
		c.folds(m*60 - 1)
	}
	t := st.whole.light
	x := s.part(g.channel, g.gate, at)
	t.merge(&x.light, float64(m*60-at/g.unit*g.unit))
	fold := st.fold
	if t.n > 0 {
		fold.add(g.weights[0], t.sum/t.n)
	}
	return fold.value()
}

func (s *State) ewmaSeconds(g *group, st *groupState, at int64) float64 {
	w := int64(len(g.weights))
	lo := at - w + 1
	c := &s.chans[g.channel]
	st = s.amending(st, st.block != 0 && at <= st.through)
	block := at - at%w
	if st.block != block {
		st.block, st.made, st.through, st.fold = block, block, block-1, weighed{}
		st.sums = sized(st.sums, int(w))
	}
	base := block - w
	if lo < st.made {
		var acc weighed
		if st.made < block {
			acc = st.sums[st.made-base]
		}
		for x := st.made - 1; x >= lo; x-- {
			if xs := s.samples(g.channel, g.gate, x); xs != nil {
				acc.add(g.weights[block-1-x], mean(xs))
			}
			st.sums[x-base] = acc
		}
		st.made = lo
	}
	decay := func(f weighed, x int64) weighed {
		f.sum, f.weight = float64(f.sum*g.weights[1]), float64(f.weight*g.weights[1])
		if t := s.sum(g.channel, g.gate, x); t != nil {
			f.add(1, t.sum/t.n)
		}
		return f
	}
	for x := st.through + 1; x < at; x++ {
		st.fold = decay(st.fold, x)
	}
	st.through = at - 1
	c.folds(at - 1)
	f := decay(st.fold, at)
	if lo < block {
		old, age := &st.sums[lo-base], g.weights[at-block+1]
		f.sum += float64(old.sum * age)
		f.weight += float64(old.weight * age)
	}
	return f.value()
}

func mean(xs []sample) float64 {
	sum := 0.0
	for i := range xs {
		sum += xs[i].v
	}
	return sum / float64(len(xs))
}

// lag is the last sample at or before one window ago, not older than two; of
// windows over ten minutes the last of the tiles that had ended then.
func (s *State) lag(g *group, at int64) float64 {
	w := g.window
	if s.chans[g.channel].newest < (at-2*w)/g.unit*g.unit {
		return nan
	}
	if g.unit == 1 {
		for x := at - w; x > at-2*w; x-- {
			if xs := s.samples(g.channel, g.gate, x); xs != nil {
				return xs[len(xs)-1].v
			}
		}
		return nan
	}
	of := s.minute
	if g.unit == 3600 {
		of = s.hour
	}
	for x := (at-w+1)/g.unit - 1; x > (at-2*w)/g.unit; x-- {
		if t := of(g.channel, g.gate, x); t != nil && t.n > 0 {
			return t.last
		}
	}
	return nan
}

// sized returns a slice of length n, whatever is in it.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
