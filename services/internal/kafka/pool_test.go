package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAPoolGivesBackWhatItWasGivenAndHoldsNoMoreThanItsBounds(t *testing.T) {
	p := &Pool{}
	if b := p.GetDecompressBytes(nil, 0); b != nil {
		t.Fatalf("%d bytes of an empty pool", cap(b))
	}
	p.PutDecompressBytes(make([]byte, 1000))
	if b := p.GetDecompressBytes(nil, 0); cap(b) != 1000 {
		t.Errorf("room for %d bytes, want 1000", cap(b))
	}
	for range 3 * pooledSlices {
		p.PutDecompressBytes(make([]byte, pooledBytes/8))
		p.PutRecords(make([]kgo.Record, 1))
	}
	if len(p.bytes) != 8 || p.heldB != pooledBytes {
		t.Errorf("%d slices of %d bytes are held", len(p.bytes), p.heldB)
	}
	if len(p.records) != pooledSlices {
		t.Errorf("%d slices of records are held", len(p.records))
	}
	for range 3 * pooledSlices {
		if r := p.GetRecords(5); len(r) != 0 || cap(r) < 5 {
			t.Fatalf("room for %d records, want 5", cap(r))
		}
	}
	if p.heldR != 0 || len(p.records) != 0 {
		t.Errorf("%d records are held in %d slices", p.heldR, len(p.records))
	}
}
