// Package dedup decides once, for scorer and writer alike, whether a frame was
// seen before. It keeps intervals of seq per device and boot, bounded, with the
// content hashes of each boot's last frames. Its state is committed with the
// consumer's offsets, so that a frame counted as seen is a frame kept.
package dedup

import (
	"fmt"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Verdict says what a frame is.
type Verdict byte

// The verdicts.
const (
	Fresh     Verdict = iota // never seen; it is marked as seen
	Duplicate                // the same identity and the same content
	Conflict                 // the same identity with other content: see it again under telemetry.ConflictBoot
	Ask                      // beyond what the table remembers: the store knows whether that frame is there with the same ts
)

func (v Verdict) String() string { return [...]string{"fresh", "duplicate", "conflict", "ask"}[v] }

// Config bounds a table's memory.
type Config struct {
	BootsPerDevice   int           // the least recently seen is forgotten first
	IntervalsPerBoot int           // the lowest numbers are forgotten first
	Hashless         int           // unnumbered frames and parts remembered per device
	Horizon          time.Duration // a boot silent for so long, in event time, may be forgotten
}

// DefaultConfig suits one frame a second for 30 days.
func DefaultConfig() Config {
	return Config{BootsPerDevice: 64, IntervalsPerBoot: 1024, Hashless: 4096, Horizon: 30 * 24 * time.Hour}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case c.BootsPerDevice < 1:
		return fmt.Errorf("boots_per_device: must be positive, not %d", c.BootsPerDevice)
	case c.IntervalsPerBoot < 1:
		return fmt.Errorf("intervals_per_boot: must be positive, not %d", c.IntervalsPerBoot)
	case c.Hashless < 1:
		return fmt.Errorf("hashless: must be positive, not %d", c.Hashless)
	case c.Horizon <= 0:
		return fmt.Errorf("horizon: must be positive, not %v", c.Horizon)
	}
	return nil
}

// hashes of so many frames are kept for each boot: a power of two.
const ring = 512

// A Table is one consumer's memory of the frames of some drills. One goroutine.
type Table struct {
	cfg     Config
	devices map[device]*history
	drills  map[string][]string // devices of each, as they came
	shifts  uint64              // counts what makes memos void
}

// A Memo is what See found last of one drill: most frames come of the same boot
// of the same device as the one before. Its owner keeps one for each drill.
type Memo struct {
	of           *Table
	shift        uint64
	device, boot string
	found        *boot
}

type device struct{ drill, device string }

// history is what is known of one device.
type history struct {
	boots   map[string]*boot
	loose   map[loose]int64 // unnumbered frames, and parts: identity → ts
	order   []loose         // as they came: the oldest is forgotten first
	forgot  int64           // newest ts of a boot that was forgotten; 0 none
	forgotL int64           // the same of loose
}

type loose struct {
	boot string
	seq  uint64
	part uint32
}

// boot is one count of seq.
type boot struct {
	seen   []Range // ascending, disjoint, not adjacent
	floor  uint64  // below it, numbers are forgotten
	newest int64   // ts
	hashes []slot  // that of seq at seq mod its length, a power of two up to ring
}

// slot returns what is kept where the hash of seq would be.
func (b *boot) slot(seq uint64) slot {
	if len(b.hashes) == 0 {
		return slot{}
	}
	return b.hashes[seq&uint64(len(b.hashes)-1)]
}

// keep keeps the hash of seq, over that of a lower number once there are ring of
// them. Until then there is room for each: a boot of few frames takes little.
func (b *boot) keep(seq, hash uint64) {
	for {
		n := len(b.hashes)
		if n > 0 {
			s := &b.hashes[seq&uint64(n-1)]
			if !s.used || s.seq == seq || n == ring {
				if !s.used || s.seq <= seq {
					*s = slot{seq, hash, true}
				}
				return
			}
		}
		more := make([]slot, max(2*n, 2))
		for _, s := range b.hashes {
			if s.used {
				more[s.seq&uint64(len(more)-1)] = s
			}
		}
		b.hashes = more
	}
}

type slot struct {
	seq, hash uint64
	used      bool
}

// Range is an inclusive range of sequence numbers.
type Range struct{ First, Last uint64 }

// New returns an empty table.
func New(cfg Config) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("dedup: %w", err)
	}
	return &Table{cfg: cfg, devices: map[device]*history{}, drills: map[string][]string{}}, nil
}

// See says what a frame of that identity, content hash and time is, and marks
// it as seen if it is Fresh.
func (t *Table) See(drill string, id telemetry.FrameID, hash uint64, ts int64) Verdict {
	return t.SeeBy(&Memo{}, drill, id, hash, ts)
}

// SeeBy is See with the drill's memo.
func (t *Table) SeeBy(m *Memo, drill string, id telemetry.FrameID, hash uint64, ts int64) Verdict {
	if id.Part > 0 || id.Unnumbered() {
		return t.seeLoose(t.history(drill, id.Device), loose{id.Boot, id.Seq, id.Part}, ts)
	}
	if m.of != t || m.shift != t.shifts || m.device != id.Device || m.boot != id.Boot {
		h := t.history(drill, id.Device)
		b := h.boots[id.Boot]
		if b == nil {
			if h.forgot != 0 && ts <= h.forgot {
				return Ask
			}
			b = t.admit(h, id.Boot)
		}
		*m = Memo{t, t.shifts, id.Device, id.Boot, b}
	}
	b := m.found
	if b.has(id.Seq) {
		switch s := b.slot(id.Seq); {
		case !s.used || s.seq != id.Seq:
			return Ask
		case s.hash == hash:
			return Duplicate
		}
		return Conflict
	}
	if id.Seq < b.floor {
		return Ask
	}
	b.add(id.Seq, t.cfg.IntervalsPerBoot)
	b.keep(id.Seq, hash)
	b.newest = max(b.newest, ts)
	return Fresh
}

// Restore marks a frame as seen without a verdict, as when a table is rebuilt
// from a store's rows.
func (t *Table) Restore(drill string, id telemetry.FrameID, hash uint64, ts int64) {
	h := t.history(drill, id.Device)
	if id.Part > 0 || id.Unnumbered() {
		t.seeLoose(h, loose{id.Boot, id.Seq, id.Part}, ts)
		return
	}
	b := h.boots[id.Boot]
	if b == nil {
		b = t.admit(h, id.Boot)
	}
	b.add(id.Seq, t.cfg.IntervalsPerBoot)
	b.keep(id.Seq, hash)
	b.newest = max(b.newest, ts)
}

// RestoreRange marks a range of one boot as seen; its hashes stay unknown.
func (t *Table) RestoreRange(drill, dev, bootID string, r Range, newest int64) {
	h := t.history(drill, dev)
	b := h.boots[bootID]
	if b == nil {
		b = t.admit(h, bootID)
	}
	b.addRange(r, t.cfg.IntervalsPerBoot)
	b.newest = max(b.newest, newest)
}

// Ranges returns the numbers seen of one boot, ascending; the slice is the table's own.
func (t *Table) Ranges(drill, dev, bootID string) []Range {
	if h := t.devices[device{drill, dev}]; h != nil {
		if b := h.boots[bootID]; b != nil {
			return b.seen
		}
	}
	return nil
}

func (t *Table) history(drill, dev string) *history {
	k := device{drill, dev}
	h := t.devices[k]
	if h == nil {
		h = &history{boots: map[string]*boot{}}
		t.devices[k] = h
		t.drills[drill] = append(t.drills[drill], dev)
	}
	return h
}

// admit makes room for a boot: first those past the horizon go, then the one silent for longest.
func (t *Table) admit(h *history, id string) *boot {
	if len(h.boots) >= t.cfg.BootsPerDevice {
		newest := int64(0)
		for _, b := range h.boots {
			newest = max(newest, b.newest)
		}
		oldest := ""
		for name, b := range h.boots {
			if b.newest < newest-int64(t.cfg.Horizon) {
				t.forget(h, name)
			} else if o := h.boots[oldest]; o == nil || b.newest < o.newest || b.newest == o.newest && name < oldest {
				oldest = name
			}
		}
		if len(h.boots) >= t.cfg.BootsPerDevice {
			t.forget(h, oldest)
		}
	}
	b := &boot{}
	h.boots[id] = b
	return b
}

func (t *Table) forget(h *history, id string) {
	t.shifts++
	h.forgot = max(h.forgot, h.boots[id].newest)
	delete(h.boots, id)
}

func (t *Table) seeLoose(h *history, l loose, ts int64) Verdict {
	if _, ok := h.loose[l]; ok {
		return Duplicate
	}
	if h.forgotL != 0 && ts <= h.forgotL {
		return Ask
	}
	if h.loose == nil {
		h.loose = map[loose]int64{}
	}
	if len(h.order) >= t.cfg.Hashless {
		old := h.order[0]
		h.order = h.order[1:]
		h.forgotL = max(h.forgotL, h.loose[old])
		delete(h.loose, old)
	}
	h.loose[l] = ts
	h.order = append(h.order, l)
	return Fresh
}

func (b *boot) has(seq uint64) bool {
	// The usual frame is newer than all: look at the end first.
	if n := len(b.seen); n == 0 || seq > b.seen[n-1].Last {
		return false
	}
	i, _ := slices.BinarySearchFunc(b.seen, seq, func(r Range, seq uint64) int {
		if r.Last < seq {
			return -1
		}
		return 1
	})
	return i < len(b.seen) && b.seen[i].First <= seq
}

func (b *boot) add(seq uint64, most int) { b.addRange(Range{seq, seq}, most) }

func (b *boot) addRange(r Range, most int) {
	if n := len(b.seen); n > 0 && b.seen[n-1].Last != ^uint64(0) && b.seen[n-1].Last+1 == r.First {
		b.seen[n-1].Last = r.Last
		return
	}
	// i: first range that ends at or after r.First-1; j: first that begins after r.Last+1.
	i, j := 0, 0
	for i < len(b.seen) && b.seen[i].Last < r.First && b.seen[i].Last+1 < r.First {
		i++
	}
	for j = i; j < len(b.seen) && (b.seen[j].First <= r.Last || b.seen[j].First == r.Last+1); j++ {
		r.First = min(r.First, b.seen[j].First)
		r.Last = max(r.Last, b.seen[j].Last)
	}
	b.seen = slices.Replace(b.seen, i, j, r)
	for len(b.seen) > most {
		b.floor = b.seen[0].Last + 1
		b.seen = slices.Delete(b.seen, 0, 1)
	}
}
