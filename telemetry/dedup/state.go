package dedup

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A table in bytes, integers as uvarints, strings with their length before:
//
//	version=1 · devices · { drill · device · forgot · forgotLoose ·
//	    boots · { boot · floor · newest · ranges · { gap · length } · hashes · { seq · hash(8 LE) } } ·
//	    loose · { boot · seq · part · ts } }
//
// Devices and boots are sorted, so that equal tables have equal bytes.
const stateVersion = 1

var errState = errors.New("dedup: state is cut off or damaged")

// AppendBinary appends the table's state to b.
func (t *Table) AppendBinary(b []byte) ([]byte, error) {
	keys := make([]device, 0, len(t.devices))
	for k := range t.devices {
		keys = append(keys, k)
	}
	return t.append(b, keys), nil
}

// AppendDrill appends to b, as a table of its own, what is known of one drill.
func (t *Table) AppendDrill(b []byte, drill string) []byte {
	var keys []device
	for _, dev := range t.drills[drill] {
		keys = append(keys, device{drill, dev})
	}
	return t.append(b, keys)
}

// Drills returns the names of the drills of which anything is known, sorted.
func (t *Table) Drills() []string { return slices.Sorted(maps.Keys(t.drills)) }

func (t *Table) append(b []byte, keys []device) []byte {
	b = append(b, stateVersion)
	slices.SortFunc(keys, func(a, b device) int {
		if c := strings.Compare(a.drill, b.drill); c != 0 {
			return c
		}
		return strings.Compare(a.device, b.device)
	})
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, k := range keys {
		h := t.devices[k]
		b = appendText(appendText(b, k.drill), k.device)
		b = binary.AppendVarint(binary.AppendVarint(b, h.forgot), h.forgotL)
		names := make([]string, 0, len(h.boots))
		for n := range h.boots {
			names = append(names, n)
		}
		slices.Sort(names)
		b = binary.AppendUvarint(b, uint64(len(names)))
		for _, n := range names {
			b = h.boots[n].append(appendText(b, n))
		}
		b = binary.AppendUvarint(b, uint64(len(h.order)))
		for _, l := range h.order {
			b = appendText(b, l.boot)
			b = binary.AppendUvarint(b, l.seq)
			b = binary.AppendUvarint(b, uint64(l.part))
			b = binary.AppendVarint(b, h.loose[l])
		}
	}
	return b
}

// MarshalBinary returns the table's state.
func (t *Table) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

func (b *boot) append(out []byte) []byte {
	out = binary.AppendUvarint(out, b.floor)
	out = binary.AppendVarint(out, b.newest)
	out = binary.AppendUvarint(out, uint64(len(b.seen)))
	at := uint64(0)
	for _, r := range b.seen {
		out = binary.AppendUvarint(out, r.First-at)
		out = binary.AppendUvarint(out, r.Last-r.First)
		at = r.Last
	}
	kept := make([]slot, 0, len(b.hashes))
	for _, s := range b.hashes {
		if s.used {
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b slot) int { return cmp.Compare(a.seq%ring, b.seq%ring) }) // whatever the slots' number now
	out = binary.AppendUvarint(out, uint64(len(kept)))
	for _, s := range kept {
		out = binary.AppendUvarint(out, s.seq)
		out = binary.LittleEndian.AppendUint64(out, s.hash)
	}
	return out
}

// UnmarshalBinary replaces the table's memory; on an error it is left as it was.
func (t *Table) UnmarshalBinary(data []byte) error {
	devices, err := parse(data)
	if err != nil {
		return err
	}
	t.devices, t.drills = map[device]*history{}, map[string][]string{}
	t.take(devices)
	return nil
}

// AddBinary adds a table's state to this one, whose devices of the same names it
// replaces; on an error this one is left as it was.
func (t *Table) AddBinary(data []byte) error {
	devices, err := parse(data)
	if err != nil {
		return err
	}
	t.take(devices)
	return nil
}

func (t *Table) take(devices map[device]*history) {
	t.shifts++
	for k, h := range devices {
		*t.history(k.drill, k.device) = *h
	}
}

func parse(data []byte) (map[device]*history, error) {
	if len(data) == 0 || data[0] != stateVersion {
		return nil, fmt.Errorf("dedup: state of an unknown version: want %d", stateVersion)
	}
	r := reader{b: data[1:]}
	devices := map[device]*history{}
	for n := r.count(4); n > 0 && r.err == nil; n-- {
		k := device{r.text(), r.text()}
		h := &history{boots: map[string]*boot{}, forgot: r.varint(), forgotL: r.varint()}
		for m := r.count(4); m > 0 && r.err == nil; m-- {
			name := r.text()
			h.boots[name] = r.boot()
		}
		if m := r.count(4); m > 0 {
			h.loose = make(map[loose]int64, m)
			for ; m > 0 && r.err == nil; m-- {
				l := loose{r.text(), r.uvarint(), uint32(r.uvarint())}
				h.loose[l] = r.varint()
				h.order = append(h.order, l)
			}
		}
		devices[k] = h
	}
	if r.err == nil && len(r.b) != 0 {
		r.err = errState
	}
	return devices, r.err
}

func (r *reader) boot() *boot {
	b := &boot{floor: r.uvarint(), newest: r.varint()}
	at := uint64(0)
	for n := r.count(2); n > 0 && r.err == nil; n-- {
		first := at + r.uvarint()
		last := first + r.uvarint()
		if last < first || len(b.seen) > 0 && first <= at {
			r.err = errState
			return b
		}
		b.seen = append(b.seen, Range{first, last})
		at = last
	}
	for n := r.count(9); n > 0 && r.err == nil; n-- {
		seq := r.uvarint()
		if len(r.b) < 8 {
			r.err = errState
			return b
		}
		b.keep(seq, binary.LittleEndian.Uint64(r.b))
		r.b = r.b[8:]
	}
	return b
}

// reader reads the pieces; after an error it yields zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.err = nil, errState
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.err = nil, errState
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads how many items follow; each takes at least size bytes, which
// bounds what a damaged count can ask for.
func (r *reader) count(size int) int {
	v := r.uvarint()
	if v > uint64(len(r.b)/size) {
		r.b, r.err = nil, errState
		return 0
	}
	return int(v)
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errState
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
