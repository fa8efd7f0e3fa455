package eight

//go:noescape
func squares(z, x *Lanes, center *float64, n int)

//go:noescape
func dot(z, x *Lanes, weights *float64, n int)

// falling is portable.Exp of numbers between -700 and -2⁻²⁸.
//
//go:noescape
func falling(z *Lanes)
