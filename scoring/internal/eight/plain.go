package eight

func squaresGo(d *Lanes, x []Lanes, center []float64) {
	var a, b, c, e, f, g, h, i float64
	for j := range x {
		v, y := &x[j], center[j]
		p, q, r, s := v[0]-y, v[1]-y, v[2]-y, v[3]-y
		a += float64(p * p)
		b += float64(q * q)
		c += float64(r * r)
		e += float64(s * s)
		p, q, r, s = v[4]-y, v[5]-y, v[6]-y, v[7]-y
		f += float64(p * p)
		g += float64(q * q)
		h += float64(r * r)
		i += float64(s * s)
	}
	*d = Lanes{a, b, c, e, f, g, h, i}
}

func dotGo(z *Lanes, x []Lanes, weights []float64) {
	var a, b, c, d, e, f, g, h float64
	for j, w := range weights {
		v := &x[j]
		a += float64(w * v[0])
		b += float64(w * v[1])
		c += float64(w * v[2])
		d += float64(w * v[3])
		e += float64(w * v[4])
		f += float64(w * v[5])
		g += float64(w * v[6])
		h += float64(w * v[7])
	}
	*z = Lanes{a, b, c, d, e, f, g, h}
}
