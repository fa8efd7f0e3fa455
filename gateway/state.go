package gateway

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Files beside the segments.
const (
	stateFile  = "state.json"
	ledgerFile = "ledger"
)

// state is how far publishing is: durable, about once a second. Losing it, or
// what happened since, publishes records again and loses none.
type state struct {
	Cluster  string             `json:"cluster"`         // id of the log that the rest is about
	Live     uint64             `json:"live,string"`     // spool index: published below it, on the live lane
	Backfill uint64             `json:"backfill,string"` // the same on the backfill lane
	Aged     [][2]uint64        `json:"aged,omitempty"`  // [from, to): accepted as live, left to the backfill lane
	Covered  []bucket           `json:"covered,omitempty"`
	Damage   []telemetry.Damage `json:"damage,omitempty"`
}

// bucket says up to which offsets the log holds a stretch of the spool.
type bucket struct {
	From    uint64   `json:"from,string"` // a multiple of bucketSize
	Offsets []offset `json:"offsets"`
}

type offset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // the highest
}

const (
	bucketSize = 4096
	maxDamage  = 1000
)

func loadState(fs spool.FS) (state, error) {
	var st state
	b, err := spool.ReadFile(fs, stateFile)
	if errors.Is(err, os.ErrNotExist) {
		return st, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil {
		return state{}, fmt.Errorf("%s: %w", stateFile, err)
	}
	return st, nil
}

// intervals is a set of spool indexes: ascending, disjoint [from, to).
type intervals [][2]uint64

func (s *intervals) add(i uint64) {
	n := len(*s)
	if n > 0 && (*s)[n-1][1] == i {
		(*s)[n-1][1]++
		return
	}
	at, found := slices.BinarySearchFunc(*s, i, find)
	if !found {
		*s = slices.Insert(*s, at, [2]uint64{i, i + 1})
	}
}

func (s intervals) has(i uint64) bool {
	_, found := slices.BinarySearchFunc(s, i, find)
	return found
}

func find(r [2]uint64, i uint64) int {
	switch {
	case r[1] <= i:
		return -1
	case r[0] > i:
		return 1
	}
	return 0
}

// cut removes what is below i.
func (s *intervals) cut(i uint64) {
	*s = slices.DeleteFunc(*s, func(r [2]uint64) bool { return r[1] <= i })
}

// coverage knows where in the log each stretch of the spool went, until the
// consumers are safe beyond it.
type coverage struct {
	of Coverage // nil: what the log acknowledged is safe

	mu      sync.Mutex
	safe    uint64 // everything below it may be released
	buckets map[uint64]map[place]int64
}

type place struct {
	topic     string
	partition int32
}

func newCoverage(of Coverage, saved []bucket) *coverage {
	c := &coverage{of: of, buckets: map[uint64]map[place]int64{}}
	for _, b := range saved {
		for _, o := range b.Offsets {
			c.put(b.From, place{o.Topic, o.Partition}, o.Offset)
		}
	}
	return c
}

func (c *coverage) put(index uint64, at place, off int64) {
	from := index - index%bucketSize
	b := c.buckets[from]
	if b == nil {
		b = map[place]int64{}
		c.buckets[from] = b
	}
	if old, ok := b[at]; !ok || off > old {
		b[at] = off
	}
}

// acked notes that the record of index lies in the log.
func (c *coverage) acked(index uint64, at place, off int64) {
	if c.of == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(index, at, off)
}

// below returns the index below which everything is safe, given that all
// below published lies in the log.
func (c *coverage) below(published uint64) uint64 {
	if c.of == nil {
		return published
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	safe := published
	for from, places := range c.buckets {
		for at, off := range places {
			if c.of.Covered(at.topic, at.partition) <= off {
				safe = min(safe, from)
				break
			}
		}
	}
	for from := range c.buckets {
		if from+bucketSize <= safe {
			delete(c.buckets, from)
		}
	}
	c.safe = max(c.safe, safe)
	return safe
}

func (c *coverage) saved() (out []bucket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for from, places := range c.buckets {
		b := bucket{From: from}
		for at, off := range places {
			b.Offsets = append(b.Offsets, offset{at.topic, at.partition, off})
		}
		slices.SortFunc(b.Offsets, func(a, b offset) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
		})
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b bucket) int { return cmp.Compare(a.From, b.From) })
	return out
}

// highest returns the highest offset known of each place.
func (c *coverage) highest() map[place]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[place]int64{}
	for _, places := range c.buckets {
		for at, off := range places {
			if old, ok := out[at]; !ok || off > old {
				out[at] = off
			}
		}
	}
	return out
}

func (c *coverage) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buckets = maps.Clone(map[uint64]map[place]int64{})
}
