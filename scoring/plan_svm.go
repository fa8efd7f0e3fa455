package scoring

import (
	"github.com/mudpulse/mudpulse/scoring/internal/eight"
	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// svm is a SupportVectorMachineModel over numbers, in 64 bits.
func (c *planner) svm(g *svm) (*modelCols, bool) {
	if g.float {
		return nil, false
	}
	s := &svmStep{g: g}
	for _, f := range g.fields {
		if f.x == nil {
			return nil, false
		}
		r, ok := c.arithmetic(f.x)
		if !ok {
			return nil, false
		}
		s.cols = append(s.cols, r.col)
	}
	for i := range g.machines {
		s.from = append(s.from, g.machines[i].from())
	}
	s.to = c.column()
	r := &modelCols{col: s.to, kind: number}
	if g.class {
		r = &modelCols{col: -1, winner: s.to, classes: g.labels()}
		for _, m := range g.machines {
			s.target, s.other = append(s.target, index(r.classes, m.target)), append(s.other, index(r.classes, m.other))
		}
		if g.votes {
			for range r.classes {
				r.p = append(r.p, c.column())
			}
			s.p = r.p
		}
	}
	c.p.lanes = max(c.p.lanes, len(g.fields)+len(g.vectors)+len(g.machines))
	c.add(false, s)
	return r, true
}

type svmStep struct {
	g             *svm
	cols          []int
	to            int   // the number, or the winner
	p             []int // shares of the votes, by class
	target, other []int // classes, by machine
	from          []int // the first of a machine's vectors, if the others follow; else -1
}

func (m *svmMachine) from() int {
	for j, at := range m.vectors {
		if at != m.vectors[0]+int32(j) {
			return -1
		}
	}
	if len(m.vectors) == 0 {
		return -1
	}
	return int(m.vectors[0])
}

func (s *svmStep) run(k *block) {
	g := s.g
	x := k.lanes[:len(g.fields)]
	kernels := k.lanes[len(x) : len(x)+len(g.vectors)]
	values := k.lanes[len(x)+len(kernels):][:len(g.machines)]
	for from := 0; from < k.n; from += 8 {
		gone := k.load(x, s.cols, from)
		for i, v := range g.vectors {
			g.kernel.lanes(&kernels[i], x, v)
		}
		for i := range g.machines {
			m := &g.machines[i]
			switch {
			case m.vectors == nil:
				eight.Dot(&values[i], x, m.weights)
			case s.from[i] >= 0:
				eight.Dot(&values[i], kernels[s.from[i]:], m.weights)
			default:
				weigh(&values[i], kernels, m.vectors, m.weights)
			}
			for l := range values[i] {
				values[i][l] += m.b
			}
		}
		for l := range min(8, k.n-from) {
			i := from + l
			for j := range values {
				gone[l] = gone[l] || values[j][l] != values[j][l]
			}
			if gone[l] {
				k.mark(i)
				k.col[s.to][i] = nan
				continue
			}
			k.col[s.to][i] = s.decide(k, values, l, i)
		}
	}
}

// decide is a row's number, or its class.
func (s *svmStep) decide(k *block, values []lanes, l, i int) float64 {
	g := s.g
	switch {
	case !g.class:
		return values[0][l]
	case !g.votes:
		best, at := 0.0, -1
		for j := range g.machines {
			if y := values[j][l]; at < 0 || g.maxWins && y > best || !g.maxWins && y < best {
				best, at = y, j
			}
		}
		return float64(s.target[at])
	}
	for _, p := range s.p {
		k.col[p][i] = 0
	}
	// The first that got a vote wins a tie.
	order := k.y[:0]
	for j := range g.machines {
		m, y := &g.machines[j], values[j][l]
		c := s.other[j]
		if g.maxWins && y > m.threshold || !g.maxWins && y < m.threshold {
			c = s.target[j]
		}
		if k.col[s.p[c]][i] == 0 {
			order = append(order, float64(c))
		}
		k.col[s.p[c]][i]++
	}
	k.y = order
	best := order[0]
	for _, c := range order {
		if k.col[s.p[int(c)]][i] > k.col[s.p[int(best)]][i] {
			best = c
		}
	}
	for _, p := range s.p {
		k.col[p][i] /= float64(len(g.machines))
	}
	return best
}

// weigh adds up the kernels that a machine uses.
func weigh(z *lanes, kernels []lanes, at []int32, weights []float64) {
	var a, b, c, d, e, f, g, h float64
	at = at[:len(weights)]
	for j, w := range weights {
		v := &kernels[at[j]]
		a += float64(w * v[0])
		b += float64(w * v[1])
		c += float64(w * v[2])
		d += float64(w * v[3])
		e += float64(w * v[4])
		f += float64(w * v[5])
		g += float64(w * v[6])
		h += float64(w * v[7])
	}
	*z = lanes{a, b, c, d, e, f, g, h}
}

// lanes is of for eight rows.
func (k *kernel) lanes(z *lanes, x []lanes, v []float64) {
	if k.name != "LinearKernelType" && k.name != "PolynomialKernelType" && k.name != "SigmoidKernelType" {
		eight.Squares(z, x, v)
		for l, y := range z {
			z[l] = float64(-k.gamma * y)
		}
		eight.Exp(z)
		return
	}
	eight.Dot(z, x, v)
	for l, y := range z {
		switch k.name {
		case "PolynomialKernelType":
			z[l] = portable.Pow(float64(k.gamma*y)+k.coef, k.degree)
		case "SigmoidKernelType":
			z[l] = portable.Tanh(float64(k.gamma*y) + k.coef)
		}
	}
}
