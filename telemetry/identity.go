package telemetry

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
)

// hashedBoot marks the boot of a frame whose device sent no boot and seq.
const hashedBoot = "~"

// Unnumbered reports whether id was made from the payload by HashIdentity.
func (id FrameID) Unnumbered() bool { return strings.HasPrefix(id.Boot, hashedBoot) }

// HashIdentity names a frame that came without boot and seq: a 128-bit hash of
// (drill, topic, ts, payload), computed alike by any gateway. The high half
// stands in Boot behind "~", the low half in Seq.
func HashIdentity(drill, topic string, ts int64, payload []byte) (boot string, seq uint64) {
	h := sha256.New()
	var n [8]byte
	for _, s := range []string{drill, topic} {
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	binary.LittleEndian.PutUint64(n[:], uint64(ts))
	h.Write(n[:])
	h.Write(payload)
	sum := h.Sum(nil)
	return hashedBoot + hex.EncodeToString(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])
}

// ConflictBoot derives the boot under which a frame is kept whose identity came
// before with other content: deterministic, so a repeat finds it again.
func ConflictBoot(boot string, hash uint64) string {
	return boot + "!" + strconv.FormatUint(hash, 16)
}

// ContentHash hashes the decoded values of f: ts and every run, whatever their
// order. It is taken before mapping, so that a mended mapping or another
// encoding is no conflict. Absent is absent whichever NaN it was. Stable on
// every machine and version.
func ContentHash(f *Frame) uint64 {
	var room [64]place
	order := room[:0]
	for i := range f.Runs {
		order = append(order, place{prefix(f.Runs[i].Channel), i})
	}
	slices.SortFunc(order, func(a, b place) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(strings.Compare(f.Runs[a.run].Channel, f.Runs[b.run].Channel), a.run-b.run)
	})
	h := mix(0x9e3779b97f4a7c15, uint64(f.TS))
	for _, p := range order {
		r := &f.Runs[p.run]
		for j := 0; j < len(r.Channel); j++ {
			h = (h ^ uint64(r.Channel[j])) * 0x100000001b3
		}
		h = mix(h, uint64(r.Offset))
		h = mix(h, uint64(r.Every))
		h = mix(h, uint64(len(r.Values)))
		for _, v := range r.Values {
			b := math.Float64bits(v)
			if v != v {
				b = 0x7ff8000000000001
			}
			h = mix(h, b)
		}
		for j, q := range r.Quality {
			if q != Good {
				h = mix(h, uint64(j)<<8|uint64(q))
			}
		}
	}
	return h
}

// place is a run's place among others, by channel: the first eight bytes mostly
// tell.
type place struct {
	prefix uint64
	run    int
}

// prefix orders as the first eight bytes of s do.
func prefix(s string) (p uint64) {
	for i := range min(len(s), 8) {
		p |= uint64(s[i]) << (56 - 8*i)
	}
	return p
}

// mix folds one word into h (the finaliser of splitmix64).
func mix(h, w uint64) uint64 {
	h ^= w
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// CauseHash folds the identities of the frames a score rests on, in the order
// given (callers sort them), into the last part of a score's identity.
func CauseHash(ids []FrameID) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, id := range ids {
		for _, s := range [2]string{id.Device, id.Boot} {
			for j := 0; j < len(s); j++ {
				h = (h ^ uint64(s[j])) * 0x100000001b3
			}
			h = mix(h, uint64(len(s)))
		}
		h = mix(mix(h, id.Seq), uint64(id.Part))
	}
	return h
}

// CompareIDs orders identities by device, boot, seq, part.
func CompareIDs(a, b FrameID) int {
	if c := strings.Compare(a.Device, b.Device); c != 0 {
		return c
	}
	if c := strings.Compare(a.Boot, b.Boot); c != 0 {
		return c
	}
	switch {
	case a.Seq < b.Seq:
		return -1
	case a.Seq > b.Seq:
		return 1
	}
	return int(a.Part) - int(b.Part)
}
