package scorer

import (
	"fmt"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry/dedup"
)

// A drill is what a partition keeps of one, for its checkpoints and to find what is its.
type drill struct {
	name    string
	changed bool   // since it was last written down
	owed    bool   // to the cut: it is written down before anything changes it
	in      *piece // of the newest checkpoint, that holds it; nil: none does
	memo    dedup.Memo
	roads   [lanes]*road // those of the lanes that were looked up
}

// drill returns the one of that name, made if it was not heard before.
func (p *Partition) drill(name string) *drill {
	d := p.drills[name]
	if d == nil {
		d = &drill{name: name, changed: true}
		p.changes++
		p.drills[name] = d
		p.order = append(p.order, d)
	}
	return d
}

// A cut is a partition as it was at one instant. Its drills are written down
// while the partition goes on: each before the first frame that changes it, and
// some whenever there is time.
type cut struct {
	head  []byte // all but the drills
	order []*drill
	owed  []*drill // that changed; from at on not looked at yet
	at    int
	left  int
	take  func(*drill, []byte) // owns the bytes until it returns
	err   error                // the first in writing down
	buf   []byte
}

// begin flushes, and makes a cut of what is known now. take is given each drill
// that changed since it was written down last, and those whose piece is to go.
func (p *Partition) begin(take func(*drill, []byte)) *cut {
	p.Flush()
	w := &snapshot.Writer{}
	p.appendHead(w)
	c := &cut{head: w.B, order: p.order[:len(p.order):len(p.order)], take: take}
	for _, d := range c.order {
		if d.changed || d.in == nil || d.in.goes {
			d.owed = true
			p.settled(d)
			c.owed = append(c.owed, d)
		}
	}
	c.left = len(c.owed)
	p.cut = c
	return c
}

// write writes down a drill that is owed.
func (p *Partition) write(d *drill) {
	c := p.cut
	d.owed = false
	c.left--
	var err error
	if c.buf, err = p.appendDrill(c.buf[:0], d); err != nil {
		if c.err == nil {
			c.err = err
		}
		return
	}
	c.take(d, c.buf)
}

// writeSome writes down drills that are owed for about as long as said.
func (p *Partition) writeSome(most time.Duration) {
	c := p.cut
	if c == nil {
		return
	}
	for began := time.Now(); c.left > 0 && time.Since(began) < most; c.at++ {
		if d := c.owed[c.at]; d.owed {
			p.write(d)
		}
	}
}

// writeAll writes down all that is still owed.
func (p *Partition) writeAll() {
	for p.cut != nil && p.cut.left > 0 {
		p.writeSome(time.Hour)
	}
}

// touch is called before something changes a drill.
func (p *Partition) touch(d *drill) {
	if d.owed {
		p.write(d)
	}
	if !d.changed {
		d.changed = true
		p.changes++
	}
}

// settled is called where a drill is as it was written down.
func (p *Partition) settled(d *drill) {
	if d.changed {
		d.changed = false
		p.changes--
	}
}

// touchAll is called before something changes every drill.
func (p *Partition) touchAll() {
	p.writeAll()
	for _, d := range p.order {
		p.touch(d)
	}
}

// A piece is a blob with what was known of some drills at one cut.
type piece struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes,string"` // packed
	Drills int    `json:"drills"`       // that it was written with
	goes   bool   // too little of it is still the newest: what is goes into another
}

// appendPieceHead begins a piece: what follows are its drills, name and state each.
func (p *Partition) appendPieceHead(w *snapshot.Writer) {
	w.Uint(snapshotVersion)
	w.Uint(uint64(p.cfg.Number))
}

// restorePiece takes those drills out of a piece that lie in the one of that number.
func (p *Partition) restorePiece(b []byte, number uint64, where map[string]uint64) error {
	r := snapshot.NewReader(b)
	v := r.Uint()
	if v != snapshotVersion && v != 7 {
		return versionError(v)
	}
	r.Uint() // the partition
	for r.Rest() > 0 {
		name, state := r.String(), r.Bytes()
		if r.Err() != nil {
			return r.Err()
		}
		if where[name] != number {
			continue
		}
		delete(where, name)
		if err := p.restoreDrill(p.drill(name), state, v); err != nil {
			return fmt.Errorf("drill %s: %w", name, err)
		}
	}
	return r.Err()
}
