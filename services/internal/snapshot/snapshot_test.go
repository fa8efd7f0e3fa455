package snapshot

import (
	"errors"
	"math"
	"testing"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	var w Writer
	w.Uint(300)
	w.Int(-5)
	w.Bool(true)
	w.Float(math.Copysign(0, -1))
	w.Float(math.Float64frombits(0x7ff8000000000123))
	w.String("RIG-07")
	w.Bytes([]byte{1, 2})
	w.Uint(2)
	w.Fixed(7)
	w.Fixed(8)
	r := NewReader(w.B)
	if r.Uint() != 300 || r.Int() != -5 || !r.Bool() || !math.Signbit(r.Float()) || math.Float64bits(r.Float()) != 0x7ff8000000000123 ||
		r.String() != "RIG-07" || len(r.Bytes()) != 2 || r.Len(8) != 2 || r.Fixed() != 7 || r.Fixed() != 8 {
		t.Error("fields differ")
	}
	if r.Err() != nil || r.Rest() != 0 {
		t.Errorf("err %v, %d bytes left", r.Err(), r.Rest())
	}
}

func FuzzReaderTakesAnything(f *testing.F) {
	f.Add([]byte{5, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		for range 50 {
			n := r.Len(3)
			if n*3 > len(b) {
				t.Fatalf("list of %d items in %d bytes", n, len(b))
			}
			_, _, _, _ = r.String(), r.Int(), r.Bool(), r.Float()
		}
		if r.Err() != nil && !errors.Is(r.Err(), ErrCorrupt) {
			t.Fatal(r.Err())
		}
	})
}
