package scoring

// plan is a document's program over blocks of rows, column by column. It knows
// the models and expressions that columns can say exactly; a row in which
// something else turns up (an invalid value, a text where a number should be,
// an undefined result) is marked and scored by the interpreter, whose answer is
// the definition. A document of which a part cannot be said has no plan.
type plan struct {
	stages  []stage
	cols    int
	codings []*coding
	acc     int       // of forests' sums: values a row, at most
	lanes   int       // of eight rows each, at most
	outs    []planOut // by target and output
	trees   int       // that run as tables of decisions
}

// stage computes columns of the rows of a block.
type stage interface{ run(k *block) }

// blockRows are computed at a time: their coded columns stay in the cache nearest.
const blockRows = 512

// block is a plan's memory for the rows at hand.
type block struct {
	p     *plan
	m     *Model
	b     *Batch
	r     *row // the interpreter
	from  int  // of the batch's rows
	n     int
	own   [][]float64 // by plan column, blockRows each
	col   [][]float64 // by plan column: own, or the batch's where it is taken as it is
	odd   []bool      // rows for the interpreter
	odds  bool
	x     [][][8]uint16 // by coding
	gaps  []bool        // by coding: a value is missing
	acc   []float64
	acc32 []float32
	lanes []lanes
	y     []float64 // of one row
}

func (p *plan) block(m *Model, r *row) *block {
	k := &block{p: p, m: m, r: r, own: make([][]float64, p.cols), col: make([][]float64, p.cols), odd: make([]bool, blockRows), gaps: make([]bool, len(p.codings))}
	all := make([]float64, p.cols*blockRows)
	for i := range k.own {
		k.own[i] = all[i*blockRows : (i+1)*blockRows : (i+1)*blockRows]
	}
	for _, g := range p.codings {
		k.x = append(k.x, make([][8]uint16, g.width*blockRows/8))
	}
	k.acc, k.acc32 = make([]float64, p.acc*blockRows), make([]float32, p.acc*blockRows)
	k.lanes, k.y = make([]lanes, p.lanes), make([]float64, 0, max(64, p.lanes))
	return k
}

// run scores the n rows of b from one on.
func (k *block) run(b *Batch, from, n int) {
	k.b, k.from, k.n = b, from, n
	clear(k.odd)
	k.odds = false
	copy(k.col, k.own)
	for _, s := range k.p.stages {
		s.run(k)
	}
	for i := range k.p.outs {
		k.p.outs[i].write(k, &b.out[i])
	}
}

// mark leaves a row to the interpreter.
func (k *block) mark(i int) { k.odd[i], k.odds = true, true }

// planOut is where a target or an output comes from.
type planOut struct {
	col     int
	kind    kind
	single  bool
	whole   bool     // a whole number is an integer, another one is not
	none    bool     // of a segment that is never the result
	classes []value  // the column counts these
	words   []string // as texts, where all are
}

func (o *planOut) write(k *block, to *outputColumn) {
	if o.none {
		for i := range k.n {
			to.set(k.from+i, none)
		}
		return
	}
	col := k.col[o.col][:k.n]
	if o.classes != nil {
		for i, c := range col {
			switch {
			case c != c:
				to.set(k.from+i, none)
			case o.words != nil:
				to.setText(k.from+i, o.words[int(c)])
			default:
				to.set(k.from+i, o.classes[int(c)])
			}
		}
		return
	}
	f, kinds, single := to.f[k.from:][:k.n], to.k[k.from:][:k.n], to.single[k.from:][:k.n]
	copy(f, col)
	for i, y := range col {
		kinds[i], single[i] = o.kind, o.single
		if y != y {
			kinds[i], single[i] = missing, false
		}
	}
	if o.whole {
		for i, y := range col {
			if isWhole(y) {
				kinds[i], single[i] = integer, false
			}
		}
	}
}

// colRef is a column of a plan.
type colRef struct {
	col   int
	typ   dataType
	kind  kind // of its values that are not missing
	f32   bool
	dict  *dictionary // of texts: the column counts its words, -1 for any other
	early bool        // it rests on inputs alone
}

// dictionary holds the words of a text column that somebody asks for.
type dictionary struct {
	words []string
	at    map[string]int
}

func (d *dictionary) code(s string) int {
	i, ok := d.at[s]
	if !ok {
		i = len(d.words)
		d.at[s] = i
		d.words = append(d.words, s)
	}
	return i
}

// planner makes a plan; ok methods report whether columns can say it.
type planner struct {
	m      *Model
	p      *plan
	early  []stage // on inputs alone
	late   []stage
	refs   map[int]colRef // by slot
	models map[*model]*modelCols
	// open is the coding that trees are added to, and openFor the forest it was
	// made for.
	open    *coding
	openFor *forest
	todo    []func() // when all columns are known
}

// newPlan returns nil where the document has none.
func newPlan(m *Model) *plan {
	if len(m.prog.memories) > 0 || len(m.targets) != 1 {
		return nil
	}
	c := &planner{m: m, p: &plan{}, refs: map[int]colRef{}, models: map[*model]*modelCols{}}
	top, ok := c.model(m.top)
	if !ok {
		return nil
	}
	o, ok := top.predicted()
	if !ok {
		return nil
	}
	c.p.outs = append(c.p.outs, o)
	for _, out := range m.outs {
		o, ok := c.output(out)
		if !ok {
			return nil
		}
		for _, g := range out.gates { // the last of a chain's segments, all of which are active here, is the result
			o.none = o.none || g.at < len(g.m.eval.(*mining).segments)-1
		}
		c.p.outs = append(c.p.outs, o)
	}
	for _, f := range c.todo {
		f()
	}
	c.p.stages = append(c.early, c.late...)
	return c.p
}

// column makes a new column.
func (c *planner) column() int { c.p.cols++; return c.p.cols - 1 }

func (c *planner) add(early bool, s stage) {
	if early {
		c.early = append(c.early, s)
	} else {
		c.late = append(c.late, s)
	}
}

// slot is the column of a slot's values.
func (c *planner) slot(i int) (colRef, bool) {
	if r, ok := c.refs[i]; ok {
		return r, r.col >= 0
	}
	c.refs[i] = colRef{col: -1}
	s := &c.m.prog.slots[i]
	r, ok := colRef{}, false
	switch src := s.source.(type) {
	case *treatment:
		if f, isRaw := c.m.prog.slots[src.from].source.(*dataField); isRaw {
			r, ok = c.input(f, src)
		} else {
			r, ok = c.treated(s, src)
		}
	case derived:
		r, ok = c.derived(src)
	case chained:
		if src.when == fixed(yes) {
			if _, has := c.model(src.m); has {
				return c.outputSlot(i, src.o)
			}
		}
	case *output:
		return c.outputSlot(i, src)
	}
	if !ok {
		return colRef{}, false
	}
	c.refs[i] = r
	return r, true
}

// outputSlot is the column of a slot that holds a model's output.
func (c *planner) outputSlot(i int, o *output) (colRef, bool) {
	p, ok := c.output(o)
	if !ok {
		return colRef{}, false
	}
	r := colRef{col: p.col, typ: o.typ, kind: p.kind, f32: p.single}
	if p.whole {
		return colRef{}, false
	}
	if p.classes != nil {
		if p.words == nil {
			return colRef{}, false
		}
		r.kind, r.dict = text, &dictionary{at: map[string]int{}}
		for _, w := range p.words {
			r.dict.code(w)
		}
		if len(r.dict.words) != len(p.words) {
			return colRef{}, false
		}
	}
	c.refs[i] = r
	return r, true
}

// numeric is the column of a slot that is computed with.
func (c *planner) numeric(i int) (colRef, bool) {
	r, ok := c.slot(i)
	return r, ok && r.dict == nil
}
