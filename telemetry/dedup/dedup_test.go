package dedup

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

func table(t *testing.T, cfg Config) *Table {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAFrameIsNewOnceAndThenADuplicate(t *testing.T) {
	d := table(t, DefaultConfig())
	f := func(boot string, seq, hash uint64, want Verdict) {
		t.Helper()
		if got := d.See("RIG-1", telemetry.FrameID{Device: "edr", Boot: boot, Seq: seq}, hash, int64(seq)); got != want {
			t.Errorf("%s/%d: %v, want %v", boot, seq, got, want)
		}
	}
	f("b1", 1, 11, Fresh)
	f("b1", 1, 11, Duplicate)
	f("b1", 3, 13, Fresh)
	f("b1", 2, 12, Fresh) // late
	f("b1", 2, 12, Duplicate)
	f("b1", 2, 99, Conflict)
	f(telemetry.ConflictBoot("b1", 99), 2, 99, Fresh)
	f(telemetry.ConflictBoot("b1", 99), 2, 99, Duplicate)
	f("b2", 1, 11, Fresh) // another count
	f("b1", 0, 10, Fresh)
	if got := fmt.Sprint(d.Ranges("RIG-1", "edr", "b1")); got != "[{0 3}]" {
		t.Errorf("ranges %s", got)
	}
}

func TestARepeatOlderThanTheHashesIsForTheStoreToSettle(t *testing.T) {
	d := table(t, DefaultConfig())
	id := telemetry.FrameID{Device: "edr", Boot: "b"}
	for i := range uint64(ring + 1) {
		id.Seq = i
		if got := d.See("d", id, i, 0); got != Fresh {
			t.Fatalf("%d: %v", i, got)
		}
	}
	id.Seq = 0
	if got := d.See("d", id, 0, 0); got != Ask {
		t.Errorf("seq 0: %v, want ask", got)
	}
	id.Seq = 1
	if got := d.See("d", id, 1, 0); got != Duplicate {
		t.Errorf("seq 1: %v, want duplicate", got)
	}
}

func TestForgottenNumbersAreNeverTakenForNew(t *testing.T) {
	cfg := DefaultConfig()
	cfg.IntervalsPerBoot, cfg.BootsPerDevice, cfg.Hashless = 4, 2, 3
	d := table(t, cfg)
	id := telemetry.FrameID{Device: "edr", Boot: "b"}
	for i := uint64(0); i < 20; i += 2 {
		id.Seq = i
		d.See("d", id, i, int64(i))
	}
	id.Seq = 1
	if got := d.See("d", id, 1, 1); got != Ask {
		t.Errorf("below the floor: %v, want ask", got)
	}
	for _, b := range []string{"b2", "b3"} { // b is forgotten
		d.See("d", telemetry.FrameID{Device: "edr", Boot: b, Seq: 1}, 1, 100)
	}
	id.Seq = 18
	if got := d.See("d", id, 18, 18); got != Ask {
		t.Errorf("boot forgotten: %v, want ask", got)
	}
	for i := range 5 {
		d.See("d", telemetry.FrameID{Device: "edr", Boot: "~a", Seq: uint64(i)}, 0, int64(i))
	}
	if got := d.See("d", telemetry.FrameID{Device: "edr", Boot: "~a", Seq: 0}, 0, 0); got != Ask {
		t.Errorf("unnumbered, forgotten: %v, want ask", got)
	}
	if got := d.See("d", telemetry.FrameID{Device: "edr", Boot: "~a", Seq: 4}, 0, 4); got != Duplicate {
		t.Errorf("unnumbered, remembered: %v, want duplicate", got)
	}
}

// Against a plain set, over random order with repeats and restarts from bytes.
func TestRandomOrderAgreesWithAPlainSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := table(t, DefaultConfig())
	seen := map[telemetry.FrameID]bool{}
	for i := range 20000 {
		id := telemetry.FrameID{Device: fmt.Sprint(rng.IntN(3)), Boot: fmt.Sprint("b", rng.IntN(3)), Seq: uint64(i/20) + uint64(rng.IntN(200)), Part: uint32(rng.IntN(20) / 19)}
		want := Fresh
		if seen[id] {
			want = Duplicate
		}
		seen[id] = true
		if got := d.See("d", id, id.Seq*7, int64(i)); got != want {
			t.Fatalf("%d %v: %v, want %v", i, id, got, want)
		}
		if i%997 == 0 {
			b, err := d.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			d = table(t, DefaultConfig())
			if err := d.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			if again, _ := d.MarshalBinary(); !bytes.Equal(b, again) {
				t.Fatal("bytes differ after a round trip")
			}
		}
	}
}

func TestATableIsTheSumOfItsDrills(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 2))
	d := table(t, DefaultConfig())
	for i := range 3000 {
		id := telemetry.FrameID{Device: fmt.Sprint("edr-", rng.IntN(2)), Boot: fmt.Sprint("b", rng.IntN(2)), Seq: uint64(i), Part: uint32(rng.IntN(9) / 8)}
		d.See(fmt.Sprint("RIG-", rng.IntN(4)), id, rng.Uint64(), int64(i))
	}
	want, _ := d.MarshalBinary()
	sum := table(t, DefaultConfig())
	for _, drill := range d.Drills() {
		if err := sum.AddBinary(d.AppendDrill(nil, drill)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := sum.MarshalBinary(); !bytes.Equal(got, want) || len(d.Drills()) != 4 {
		t.Errorf("%d bytes of %v, want %d", len(got), sum.Drills(), len(want))
	}
	if err := sum.AddBinary(want[:len(want)/2]); err == nil {
		t.Error("half a table was taken")
	} else if got, _ := sum.MarshalBinary(); !bytes.Equal(got, want) {
		t.Error("an error changed the table")
	}
}

func TestSeeAllocatesNothingForTheUsualFrame(t *testing.T) {
	d := table(t, DefaultConfig())
	id := telemetry.FrameID{Device: "edr", Boot: "b"}
	d.See("d", id, 0, 0)
	if n := testing.AllocsPerRun(1000, func() { id.Seq++; d.See("d", id, 1, 1) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func FuzzUnmarshal(f *testing.F) {
	d, _ := New(DefaultConfig())
	for i := range uint64(10) {
		d.See("d", telemetry.FrameID{Device: "edr", Boot: "b", Seq: i * i}, i, 1)
		d.See("d", telemetry.FrameID{Device: "edr", Boot: "~b", Seq: i}, i, 1)
	}
	b, _ := d.MarshalBinary()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _ := New(DefaultConfig())
		if d.UnmarshalBinary(b) != nil {
			return
		}
		again, _ := d.MarshalBinary()
		e, _ := New(DefaultConfig())
		if err := e.UnmarshalBinary(again); err != nil {
			t.Fatalf("own bytes refused: %v", err)
		}
	})
}

func BenchmarkSee(b *testing.B) {
	d, _ := New(DefaultConfig())
	id := telemetry.FrameID{Device: "edr", Boot: "b"}
	b.ReportAllocs()
	for b.Loop() {
		id.Seq++
		d.See("RIG-07", id, id.Seq, 1)
	}
}

// By a memo for each drill a table says what it says without, though boots are forgotten and tables replaced.
func TestAMemoChangesNoVerdict(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	cfg := DefaultConfig()
	cfg.BootsPerDevice, cfg.IntervalsPerBoot = 2, 8
	plain, by := table(t, cfg), table(t, cfg)
	memos := map[string]*Memo{"R1": {}, "R2": {}}
	for i := range 20000 {
		drill := fmt.Sprint("R", 1+rng.IntN(2))
		id := telemetry.FrameID{Device: fmt.Sprint("edr-", rng.IntN(20)/19), Boot: fmt.Sprint("b", i/3000+rng.IntN(40)/39), Seq: uint64(i/4) + uint64(rng.IntN(20)), Part: uint32(rng.IntN(20) / 19)}
		hash := uint64(rng.IntN(2))
		if want, got := plain.See(drill, id, hash, int64(i)), by.SeeBy(memos[drill], drill, id, hash, int64(i)); got != want {
			t.Fatalf("%d: %s %v: %v, want %v", i, drill, id, got, want)
		}
		if i%1999 == 0 {
			b, _ := plain.MarshalBinary()
			if err := by.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, _ := plain.MarshalBinary()
	if b, _ := by.MarshalBinary(); !bytes.Equal(a, b) {
		t.Error("the tables differ")
	}
}

// A device that takes a new name or boot for each message costs little, and what is
// remembered of one that counts on is what a full ring would hold, to the same bytes.
func TestABootOfFewFramesTakesLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b, full := &boot{}, &boot{hashes: make([]slot, ring)}
		for range 1 + r.IntN(1500) {
			seq := r.Uint64N(3 * ring)
			if r.IntN(50) == 0 {
				seq = r.Uint64()
			}
			hash := r.Uint64()
			b.keep(seq, hash)
			if s := &full.hashes[seq%ring]; !s.used || s.seq <= seq {
				*s = slot{seq, hash, true}
			}
		}
		if got, want := b.append(nil), full.append(nil); !bytes.Equal(got, want) {
			t.Fatalf("%d slots: %x, want %x", len(b.hashes), got, want)
		}
		for seq := range uint64(3 * ring) {
			if want := full.hashes[seq%ring]; want.seq == seq && want.used && b.slot(seq) != want {
				t.Fatalf("%d: %v, want %v", seq, b.slot(seq), want)
			}
		}
	}
	few := &boot{}
	for seq := range uint64(4) {
		few.keep(seq, 1)
	}
	if len(few.hashes) != 4 {
		t.Errorf("4 frames take room for %d", len(few.hashes))
	}
}
