// Package ledger remembers durably which numbered frames a gateway accepted:
// ranges of seq for each drill, device and boot. It is a snapshot and what the
// spool holds after it.
package ledger

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"

	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Bounds of what is remembered; beyond them the oldest is forgotten.
const (
	BootsPerDevice = 64
	RangesPerBoot  = 1024
)

// A Ledger is safe for concurrent use.
type Ledger struct {
	mu      sync.Mutex
	next    uint64 // spool index: everything below it is in here
	turn    uint64 // counts commits, to tell old boots from new
	boots   map[key]*Boot
	devices map[key][]*Boot // by drill and device
}

type key struct{ drill, device, boot string }

// A Boot is the count of one boot of a device.
type Boot struct {
	key     key
	ranges  [][2]uint64 // inclusive, ascending, disjoint, not adjacent
	turn    uint64
	changed bool
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{boots: map[key]*Boot{}, devices: map[key][]*Boot{}}
}

// Boot returns the entry to be named in a spool.Note.
func (l *Ledger) Boot(drill, device, boot string) *Boot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.boot(key{drill, device, boot})
}

func (l *Ledger) boot(k key) *Boot {
	b := l.boots[k]
	if b == nil {
		b = &Boot{key: k, turn: l.turn}
		l.boots[k] = b
		d := key{k.drill, k.device, ""}
		all := append(l.devices[d], b)
		if len(all) > BootsPerDevice {
			oldest := slices.MinFunc(all[:len(all)-1], func(a, b *Boot) int { return cmp.Compare(a.turn, b.turn) })
			all = slices.DeleteFunc(all, func(x *Boot) bool { return x == oldest })
			delete(l.boots, oldest.key)
		}
		l.devices[d] = all
	}
	return b
}

// Commit counts what the spool made durable; next is the index after it.
func (l *Ledger) Commit(next uint64, notes []spool.Note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	for _, n := range notes {
		b := n.Ref.(*Boot)
		if l.boots[b.key] != b {
			b = l.boot(b.key) // it was forgotten meanwhile
		}
		b.add(n.Seq)
		b.turn, b.changed = l.turn, true
	}
	l.next = max(l.next, next)
}

// add puts one number into the ranges.
func (b *Boot) add(seq uint64) {
	n := len(b.ranges)
	if n > 0 {
		if last := &b.ranges[n-1]; seq >= last[0] && seq <= last[1] {
			return
		} else if last[1]+1 == seq && seq != 0 {
			last[1] = seq
			return
		}
	}
	i, found := slices.BinarySearchFunc(b.ranges, seq, func(r [2]uint64, s uint64) int {
		switch {
		case r[1] < s:
			return -1
		case r[0] > s:
			return 1
		}
		return 0
	})
	if found {
		return
	}
	before := i > 0 && b.ranges[i-1][1]+1 == seq
	after := i < n && seq+1 == b.ranges[i][0]
	switch {
	case before && after:
		b.ranges[i-1][1] = b.ranges[i][1]
		b.ranges = slices.Delete(b.ranges, i, i+1)
	case before:
		b.ranges[i-1][1] = seq
	case after:
		b.ranges[i][0] = seq
	default:
		b.ranges = slices.Insert(b.ranges, i, [2]uint64{seq, seq})
		if len(b.ranges) > RangesPerBoot {
			b.ranges = slices.Delete(b.ranges, 0, 1)
		}
	}
}

// Changed returns the entries that changed since the last call.
func (l *Ledger) Changed() []telemetry.Accepted { return l.list(false) }

// All returns every entry.
func (l *Ledger) All() []telemetry.Accepted { return l.list(true) }

func (l *Ledger) list(all bool) []telemetry.Accepted {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []telemetry.Accepted{}
	for _, b := range l.boots {
		if (all || b.changed) && len(b.ranges) > 0 {
			out = append(out, telemetry.Accepted{Drill: b.key.drill, Device: b.key.device, Boot: b.key.boot, Ranges: slices.Clone(b.ranges)})
		}
		if !all {
			b.changed = false
		}
	}
	slices.SortFunc(out, func(a, b telemetry.Accepted) int {
		return cmp.Or(strings.Compare(a.Drill, b.Drill), strings.Compare(a.Device, b.Device), strings.Compare(a.Boot, b.Boot))
	})
	return out
}

// Next returns the spool index below which everything is counted.
func (l *Ledger) Next() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.next }

// Advance says that everything below next was counted.
func (l *Ledger) Advance(next uint64) { l.mu.Lock(); defer l.mu.Unlock(); l.next = max(l.next, next) }

type file struct {
	Next  uint64               `json:"next,string"`
	Boots []telemetry.Accepted `json:"boots"` // least recent first
}

// Snapshot returns the whole ledger: a CRC32C in hex, a line feed, JSON.
func (l *Ledger) Snapshot() []byte {
	l.mu.Lock()
	boots := make([]*Boot, 0, len(l.boots))
	for _, b := range l.boots {
		if len(b.ranges) > 0 {
			boots = append(boots, b)
		}
	}
	slices.SortFunc(boots, func(a, b *Boot) int {
		return cmp.Or(cmp.Compare(a.turn, b.turn), strings.Compare(a.key.drill, b.key.drill), strings.Compare(a.key.device, b.key.device), strings.Compare(a.key.boot, b.key.boot))
	})
	f := file{Next: l.next, Boots: make([]telemetry.Accepted, len(boots))}
	for i, b := range boots {
		f.Boots[i] = telemetry.Accepted{Drill: b.key.drill, Device: b.key.device, Boot: b.key.boot, Ranges: slices.Clone(b.ranges)}
	}
	l.mu.Unlock()
	body, err := json.Marshal(f)
	if err != nil {
		panic("BUG: marshal ledger: " + err.Error())
	}
	return append(fmt.Appendf(nil, "%08x\n", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))), body...)
}

// Load reads a snapshot into an empty ledger.
func (l *Ledger) Load(b []byte) error {
	sum, body, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))) {
		return fmt.Errorf("ledger: the snapshot is damaged: its checksum differs")
	}
	var f file
	if err := json.Unmarshal(body, &f); err != nil {
		return fmt.Errorf("ledger: the snapshot is damaged: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range f.Boots {
		l.turn++
		b := l.boot(key{a.Drill, a.Device, a.Boot})
		b.ranges, b.turn = a.Ranges, l.turn
	}
	l.next = f.Next
	return nil
}
