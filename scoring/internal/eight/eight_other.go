//go:build !amd64

package eight

import (
	"unsafe"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

func squares(z, x *Lanes, center *float64, n int) {
	squaresGo(z, unsafe.Slice(x, n), unsafe.Slice(center, n))
}

func dot(z, x *Lanes, weights *float64, n int) {
	dotGo(z, unsafe.Slice(x, n), unsafe.Slice(weights, n))
}

func falling(z *Lanes) { portable.ExpEach(z[:]) }
