// Package micros turns the platform's nanoseconds into the microseconds that columnstores answer in.
package micros

// Floor converts Unix ns to µs, flooring.
func Floor(ns int64) int64 { return FloorDiv(ns, 1000) }

// FloorDiv divides, rounding down.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
