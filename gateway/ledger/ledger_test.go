package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mudpulse/mudpulse/gateway/ledger"
	"github.com/mudpulse/mudpulse/gateway/spool"
)

func TestRangesHoldExactlyWhatWasCommitted(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		l := ledger.New()
		b := l.Boot("R", "d", "b")
		have := map[uint64]bool{}
		for range rnd.IntN(200) {
			seq := rnd.Uint64N(100)
			if rnd.IntN(20) == 0 {
				seq = ^uint64(0) - rnd.Uint64N(3)
			}
			have[seq] = true
			l.Commit(0, []spool.Note{{Ref: b, Seq: seq}})
		}
		got := map[uint64]bool{}
		for _, a := range l.All() {
			for i, r := range a.Ranges {
				if r[0] > r[1] || i > 0 && r[0] <= a.Ranges[i-1][1]+1 {
					t.Fatalf("ranges %v", a.Ranges)
				}
				for s := r[0]; ; s++ {
					got[s] = true
					if s == r[1] {
						break
					}
				}
			}
		}
		if len(got) != len(have) {
			t.Fatalf("%d numbers, not %d", len(got), len(have))
		}
		for s := range have {
			if !got[s] {
				t.Fatalf("%d is missing", s)
			}
		}
		again := ledger.New()
		if err := again.Load(l.Snapshot()); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(again.All()) != fmt.Sprint(l.All()) {
			t.Fatal("a snapshot changed the ledger")
		}
	}
}

func TestOnlyWhatChangedIsTold(t *testing.T) {
	l := ledger.New()
	a, b := l.Boot("R", "d", "a"), l.Boot("R", "d", "b")
	l.Commit(3, []spool.Note{{Ref: a, Seq: 1}, {Ref: b, Seq: 1}})
	if n := len(l.Changed()); n != 2 {
		t.Errorf("%d", n)
	}
	l.Commit(4, []spool.Note{{Ref: b, Seq: 2}})
	if got := l.Changed(); len(got) != 1 || got[0].Boot != "b" || got[0].Ranges[0] != [2]uint64{1, 2} {
		t.Errorf("%+v", got)
	}
	if n := len(l.Changed()); n != 0 || l.Next() != 4 {
		t.Errorf("%d %d", n, l.Next())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := ledger.New()
	first := l.Boot("R", "d", "boot-0")
	for i := range 3 * ledger.BootsPerDevice {
		l.Commit(0, []spool.Note{{Ref: l.Boot("R", "d", fmt.Sprint("boot-", i)), Seq: 1}})
	}
	l.Commit(0, []spool.Note{{Ref: first, Seq: 9}}) // a session may still hold a forgotten one
	for i := range 3 * uint64(ledger.RangesPerBoot) {
		l.Commit(0, []spool.Note{{Ref: l.Boot("R", "e", "b"), Seq: 2 * i}})
	}
	all := l.All()
	if len(all) != ledger.BootsPerDevice+1 {
		t.Errorf("%d boots", len(all))
	}
	if r := all[len(all)-1].Ranges; len(r) != ledger.RangesPerBoot || r[len(r)-1][1] != 2*(3*uint64(ledger.RangesPerBoot)-1) {
		t.Errorf("%d ranges", len(r))
	}
}

func TestADamagedSnapshotIsRefused(t *testing.T) {
	l := ledger.New()
	l.Commit(2, []spool.Note{{Ref: l.Boot("R", "d", "b"), Seq: 1}})
	b := l.Snapshot()
	for i := range b {
		c := slices.Clone(b)
		c[i] ^= 1
		if ledger.New().Load(c) == nil {
			t.Fatalf("byte %d flipped and taken", i)
		}
	}
}
