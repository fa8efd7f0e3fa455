package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of what a Pool keeps for later.
const (
	pooledSlices  = 64
	pooledBytes   = 16 << 20 // unless the pool says less
	pooledRecords = 64 << 10
)

// A Pool holds the memory of records that were read, for those that come next:
// without it most of what a reader in a flood allocates is what it reads. Give it
// to a client by kgo.WithPools, and call Recycle on each record when nothing of
// it is needed any more; one that is kept is the collector's.
type Pool struct {
	Most int // bytes of batches that it keeps; 0: 16 MB

	mu      sync.Mutex
	bytes   [][]byte
	records [][]kgo.Record
	heldB   int // by bytes
	heldR   int // by records
}

// GetDecompressBytes returns room for a batch; one that is too small is grown by who asks.
func (p *Pool) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return take(&p.bytes, &p.heldB)
}

// PutDecompressBytes takes it back.
func (p *Pool) PutDecompressBytes(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := pooledBytes
	if p.Most > 0 {
		most = p.Most
	}
	keep(&p.bytes, &p.heldB, b, most)
}

// GetRecords returns room for n records.
func (p *Pool) GetRecords(n int) []kgo.Record {
	p.mu.Lock()
	r := take(&p.records, &p.heldR)
	p.mu.Unlock()
	if cap(r) < n {
		return make([]kgo.Record, 0, n)
	}
	return r[:0]
}

// PutRecords takes it back.
func (p *Pool) PutRecords(r []kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep(&p.records, &p.heldR, r, pooledRecords)
}

func take[T any](from *[][]T, held *int) []T {
	n := len(*from)
	if n == 0 {
		return nil
	}
	x := (*from)[n-1]
	(*from)[n-1] = nil
	*from = (*from)[:n-1]
	*held -= cap(x)
	return x
}

func keep[T any](in *[][]T, held *int, x []T, most int) {
	if len(*in) < pooledSlices && *held+cap(x) <= most {
		*in = append(*in, x)
		*held += cap(x)
	}
}
