package view

import "testing"

func TestAFeatureIsSaidInWords(t *testing.T) {
	f := func(want string, parts ...string) {
		t.Helper()
		if got := partWords(parts); got != want {
			t.Errorf("%v: %q, want %q", parts, got, want)
		}
	}
	f(", mean of 10 min, while drilling", "ewma", "10m", "in_rotary")
	f(", slope of 1 h, against its usual", "slope", "1h", "z")
	f("", "last")
}
