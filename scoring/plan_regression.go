package scoring

import "github.com/mudpulse/mudpulse/scoring/internal/portable"

type regressionStep struct {
	g      *regression
	tables []linearTable
	winner int
}

type linearTable struct {
	intercept float64
	terms     []linearTerm
	to        int
}

// linearTerm is coef · x^exponent, coef where x is want, or coef · x · x' …
type linearTerm struct {
	cols     []int
	exponent float64
	category bool
	want     float64
	coef     float64
}

func (s *regressionStep) run(k *block) {
	for i := range s.tables {
		s.tables[i].run(k, s.g.float)
	}
	if !s.g.class {
		y := k.col[s.tables[0].to][:k.n]
		switch norm := s.g.norm; {
		case norm == "none":
		case norm == "softmax" && s.g.float:
			for i, x := range y {
				y[i] = s.g.link("logit", x)
			}
		case (norm == "softmax" || norm == "logit") && !s.g.float: // of one value: the logit
			for i, x := range y {
				y[i] = 1 / (1 + portable.Exp(-x))
			}
		default:
			for i, x := range y {
				y[i] = s.g.link(norm, x)
			}
		}
		for i, x := range y {
			if x != x && !s.gone(k, i) {
				k.mark(i)
			}
		}
		return
	}
	n := len(s.tables)
	win := k.col[s.winner][:k.n]
	if n == 2 && s.g.norm == "logit" && !s.g.ordinal && !s.g.float { // the usual one
		a, b := k.col[s.tables[0].to][:k.n], k.col[s.tables[1].to][:k.n]
		for i, x := range a {
			gone := b[i] != b[i]
			a[i] = 1 / (1 + portable.Exp(-x))
			b[i] = 1 - a[i]
			switch {
			case gone || x != x:
				s.none(k, i)
			case a[i] >= b[i]:
				win[i] = 0
			default:
				win[i] = 1
			}
		}
		return
	}
	p := k.y[:0]
	for i := range win {
		p = p[:0]
		gone := false
		for j := range s.tables {
			y := k.col[s.tables[j].to][i]
			gone = gone || y != y
			p = append(p, y)
		}
		if gone {
			s.none(k, i)
			continue
		}
		s.g.normalize(p)
		w := winner(p)
		if w < 0 || sum(p) != sum(p) {
			k.mark(i)
			continue
		}
		win[i] = float64(w)
		for j := range s.tables {
			k.col[s.tables[j].to][i] = p[j]
		}
	}
	k.y = p
}

// none is a row without a result: a value is missing, or undefined.
func (s *regressionStep) none(k *block, i int) {
	k.col[s.winner][i] = nan
	if !s.gone(k, i) {
		k.mark(i)
	}
}

// gone reports whether a value that the tables need is missing.
func (s *regressionStep) gone(k *block, i int) bool {
	for _, t := range s.tables {
		for _, n := range t.terms {
			for _, c := range n.cols {
				if x := k.col[c][i]; x != x && !n.category {
					return true
				}
			}
		}
	}
	return false
}

func (t *linearTable) run(k *block, single bool) {
	y := k.col[t.to][:k.n]
	clear(y)
	for j := range t.terms {
		n := &t.terms[j]
		x := k.col[n.cols[0]][:k.n]
		switch {
		case single:
			for i := range y {
				if v, ok := n.single(k, i); ok {
					y[i] = float64(float32(y[i]) + v)
				}
			}
		case !n.category && len(n.cols) == 1 && n.exponent == 1:
			a := n.coef
			for i, v := range x {
				y[i] += float64(a * v)
			}
		default:
			for i := range y {
				if v, ok := n.at(k, i); ok {
					y[i] += v
				}
			}
		}
	}
	for i := range y {
		if single {
			y[i] = float64(float32(y[i]) + float32(t.intercept))
			continue
		}
		y[i] += t.intercept
	}
}

// single is at in 32 bits.
func (n *linearTerm) single(k *block, i int) (v float32, ok bool) {
	x := k.col[n.cols[0]][i]
	switch {
	case n.category:
		return float32(n.coef), x == n.want
	case len(n.cols) == 1:
		x = float64(float32(x))
		if n.exponent != 1 {
			x = portable.Pow(x, n.exponent)
		}
		return float32(n.coef) * float32(x), true
	}
	p := float32(1)
	for _, c := range n.cols {
		p *= float32(k.col[c][i])
	}
	return p * float32(n.coef), true
}

// at is the term of a row; ok is false where there is none to add.
func (n *linearTerm) at(k *block, i int) (v float64, ok bool) {
	x := k.col[n.cols[0]][i]
	switch {
	case n.category:
		return n.coef, x == n.want
	case len(n.cols) == 1:
		if n.exponent != 1 {
			x = portable.Pow(x, n.exponent)
		}
		return float64(n.coef * x), true
	}
	p := 1.0
	for _, c := range n.cols {
		p = float64(p * k.col[c][i])
	}
	return float64(p * n.coef), true
}
