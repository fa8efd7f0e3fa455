package scoring

import (
	"math"

	"github.com/mudpulse/mudpulse/scoring/internal/eight"
)

// Clusters and networks compare or multiply a row's numbers with many others:
// eight rows go side by side, each in its own lane, summed in document order.

// lanes are a value each of eight rows.
type lanes = eight.Lanes

// load takes the numbers of eight rows from one on, a column each; the lanes
// beyond the block's end hold zeros. It reports which lanes lack a number.
func (k *block) load(x []lanes, cols []int, from int) (gone [8]bool) {
	n := min(8, k.n-from)
	for j, c := range cols {
		v := &x[j]
		if n < 8 {
			clear(v[:])
		}
		copy(v[:n], k.col[c][from:from+n])
		for l, f := range v {
			if f != f {
				gone[l] = true
			}
		}
	}
	return gone
}

// clustering is a ClusteringModel of centres over numbers.
func (c *planner) clustering(g *clustering) (*modelCols, bool) {
	x := g.measure
	if g.centers == nil || x.float || x.binary || x.name != "euclidean" && x.name != "squaredEuclidean" && x.name != "cityBlock" {
		return nil, false
	}
	if s := sum(g.weights); g.weights != nil && !(s > 0 && s < 1e300) {
		return nil, false
	}
	s := &clusterStep{g: g, winner: c.column()}
	for i := range x.fields {
		f := &x.fields[i]
		r, ok := c.numeric(f.slot)
		if !ok || f.fn != absDiff || f.codes != nil {
			return nil, false
		}
		s.cols = append(s.cols, r.col)
	}
	for range g.centers {
		s.near = append(s.near, c.column())
	}
	c.p.lanes = max(c.p.lanes, len(s.cols))
	c.add(false, s)
	return &modelCols{col: -1, winner: s.winner, classes: g.ids, near: s.near}, true
}

type clusterStep struct {
	g      *clustering
	cols   []int
	near   []int // columns of distances
	winner int
}

func (s *clusterStep) run(k *block) {
	x := k.lanes[:len(s.cols)]
	m := s.g.measure
	square, root := m.name != "cityBlock", m.name == "euclidean"
	for from := 0; from < k.n; from += 8 {
		gone := k.load(x, s.cols, from)
		n := min(8, k.n-from)
		var best lanes
		var least lanes
		for j, center := range s.g.centers {
			var d lanes
			switch {
			case m.plain && square:
				eight.Squares(&d, x, center)
			default:
				m.weighted(&d, x, center, square)
			}
			for l, y := range d {
				if root {
					y = math.Sqrt(y)
					d[l] = y
				}
				if j == 0 || y < least[l] {
					best[l], least[l] = float64(j), y
				}
				gone[l] = gone[l] || y != y
			}
			copy(k.col[s.near[j]][from:from+n], d[:n])
		}
		for l := range n {
			if gone[l] {
				k.mark(from + l)
			}
		}
		copy(k.col[s.winner][from:from+n], best[:n])
	}
}

func (m *measure) weighted(d *lanes, x []lanes, center []float64, square bool) {
	for j := range x {
		w, y := m.fields[j].weight, center[j]
		for l, v := range x[j] {
			if z := math.Abs(v - y); square {
				d[l] += float64(w * float64(z*z))
			} else {
				d[l] += float64(w * z)
			}
		}
	}
}

// neural is a NeuralNetwork of sums in 64 bits.
func (c *planner) neural(m *model, g *neural) (*modelCols, bool) {
	if g.float || len(g.outputs) != 1 || len(m.others) > 0 {
		return nil, false
	}
	s := &neuralStep{g: g}
	for i, l := range g.layers {
		if l.fn == actRadial || l.norm == "simplemax" && i < len(g.layers)-1 { // whose error must not get lost in a threshold

			return nil, false
		}
	}
	for _, d := range g.inputs {
		r, ok := c.derived(d)
		if !ok || r.dict != nil {
			return nil, false
		}
		s.cols = append(s.cols, r.col)
	}
	r := &modelCols{col: -1, kind: number}
	for range g.outputs[0] {
		s.to = append(s.to, c.column())
	}
	if g.classes[0] == nil {
		r.col = s.to[0]
	} else {
		s.winner = c.column()
		r.winner, r.classes, r.p = s.winner, g.classes[0], s.to
	}
	c.p.lanes = max(c.p.lanes, g.size)
	c.add(false, s)
	return r, true
}

type neuralStep struct {
	g      *neural
	cols   []int
	to     []int // a number, or a probability for each class
	winner int
}

func (s *neuralStep) run(k *block) {
	a := k.lanes[:s.g.size]
	outs := s.g.outputs[0]
	for from := 0; from < k.n; from += 8 {
		gone := k.load(a, s.cols, from)
		for i := range s.g.layers {
			s.g.layers[i].lanes(a, k)
		}
		for l := range min(8, k.n-from) {
			i := from + l
			if s.g.classes[0] == nil {
				y, ok := a[outs[0].at][l], true
				for _, d := range outs[0].denorm {
					if ok {
						y, ok = d.invert(y)
					}
				}
				switch {
				case gone[l] || !ok:
					y = nan
				case y != y:
					k.mark(i)
				}
				k.col[s.to[0]][i] = y
				continue
			}
			p := k.y[:0]
			for j := range outs {
				p = append(p, a[outs[j].at][l])
				k.col[s.to[j]][i] = p[j]
			}
			k.y = p
			k.col[s.winner][i] = float64(winner(p))
			switch {
			case gone[l]:
				k.col[s.winner][i] = nan
			case sum(p) != sum(p):
				k.mark(i)
				k.col[s.winner][i] = nan
			}
		}
	}
}

// lanes is run for eight rows.
func (t *layer) lanes(a []lanes, k *block) {
	for i := range t.neurons {
		n := &t.neurons[i]
		var z lanes
		if n.from == nil {
			eight.Dot(&z, a[n.first:n.first+len(n.weights)], n.weights)
		} else {
			for j, w := range n.weights {
				for l, v := range &a[n.from[j]] {
					z[l] += float64(w * v)
				}
			}
		}
		to := &a[t.from+i]
		if t.fn == actRectifier {
			for l, v := range z {
				v += n.bias
				if !(v > 0) && v == v {
					v = 0
				}
				to[l] = v
			}
			continue
		}
		for l, v := range z {
			to[l] = t.activate(v + n.bias)
		}
	}
	if t.norm == "" || t.norm == "none" {
		return
	}
	for l := range 8 {
		y := k.y[:0]
		for i := range t.neurons {
			y = append(y, a[t.from+i][l])
		}
		t.normalize(y, false)
		for i, v := range y {
			a[t.from+i][l] = v
		}
		k.y = y
	}
}
