package scorer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
)

// written keeps a partition's cuts as a worker does: pieces by name, newest head.
type written struct {
	p      *Partition
	pieces []*piece
	raw    map[string][]byte
	now    snapshot.Writer
	drills []*drill
}

func (w *written) begin() {
	w.now.B, w.drills = nil, nil
	w.p.appendPieceHead(&w.now)
	w.p.begin(func(d *drill, b []byte) {
		w.now.String(d.name)
		w.now.Bytes(b)
		w.drills = append(w.drills, d)
	})
}

// end writes down the rest and returns the head.
func (w *written) end() []byte {
	w.p.writeAll()
	x := &piece{SHA256: fmt.Sprint(len(w.pieces)), Drills: len(w.drills)}
	w.pieces = append(w.pieces, x)
	w.raw[x.SHA256] = w.now.B
	for _, d := range w.drills {
		d.in = x
	}
	head := &snapshot.Writer{B: w.p.cut.head}
	head.Uint(uint64(len(w.p.cut.order)))
	for _, d := range w.p.cut.order {
		head.String(d.name)
		head.Uint(uint64(slices.Index(w.pieces, d.in) + 1))
	}
	w.p.cut = nil
	return head.B
}

// A cut holds what the partition knew when it was begun, to the bit, whatever
// comes while it is written down; and of drills that did not change, nothing new.
func TestACutIsThePartitionAsItWasWhenItBegan(t *testing.T) {
	steps := stream(17, 3000)
	rng := rand.New(rand.NewPCG(6, 6))
	p := newPartition(t, testConfig(), streamShelf(), newTape())
	w := &written{p: p, raw: map[string][]byte{}}
	cuts := 0
	for at := 0; at < len(steps); cuts++ {
		n := min(rng.IntN(250)+1, len(steps)-at)
		play(t, p, steps[at:at+n], at, func() bool { return false })
		at += n
		want, err := p.Snapshot(nil)
		if err != nil {
			t.Fatal(err)
		}
		changed := 0
		for _, d := range p.order {
			if d.changed {
				changed++
			}
		}
		if changed != p.changes {
			t.Fatalf("%d drills changed, %d are counted", changed, p.changes)
		}
		w.begin()
		for i := rng.IntN(60); i > 0 && at < len(steps); i-- { // frames and markers go on
			play(t, p, steps[at:at+1], at, func() bool { return false })
			at++
			if rng.IntN(10) == 0 {
				p.writeSome(time.Microsecond)
			}
		}
		head := w.end()
		if len(w.drills) != changed {
			t.Errorf("cut %d: %d drills written down, %d had changed", cuts, len(w.drills), changed)
		}
		q := newPartition(t, testConfig(), streamShelf(), newTape())
		if err := q.restore(t.Context(), head, w.pieces, func(sha string) ([]byte, error) { return w.raw[sha], nil }); err != nil {
			t.Fatal(err)
		}
		if got, err := q.Snapshot(nil); err != nil || string(got) != string(want) {
			t.Fatalf("cut %d: another state came back (%v)", cuts, err)
		}
		if q.changes != 0 {
			t.Errorf("cut %d: %d drills count as changed after a restart", cuts, q.changes)
		}
	}
	if cuts < 10 {
		t.Fatalf("only %d cuts", cuts)
	}
}

// Both were written after 300 records: snapshot-5.zst by commit 827fe8c, snapshot-7.zst by 121dd98.
func TestACheckpointOfAnEarlierVersionIsTakenOver(t *testing.T) {
	steps := stream(11, 1200)
	want := newTape()
	play(t, newPartition(t, testConfig(), streamShelf(), want), steps, 0, func() bool { return false })
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"snapshot-5.zst", "snapshot-7.zst"} {
		packed, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.DecodeAll(packed, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := newTape()
		play(t, newPartition(t, testConfig(), streamShelf(), got), steps[:300], 0, func() bool { return false })
		p := newPartition(t, testConfig(), streamShelf(), got)
		if err := p.Restore(t.Context(), b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		play(t, p, steps[300:], 300, func() bool { return false })
		diff(t, got, want)
	}
}

func TestACheckpointOfALaterVersionIsSaidToBeOne(t *testing.T) {
	w := &snapshot.Writer{}
	w.Uint(snapshotVersion + 3)
	err := newPartition(t, testConfig(), streamShelf(), newTape()).Restore(t.Context(), w.B)
	v := versionError(0)
	if !errors.As(err, &v) || !strings.Contains(err.Error(), fmt.Sprintf("written by version %d", snapshotVersion+3)) {
		t.Errorf("%v", err)
	}
}

// Fifty drills of which three go on: a checkpoint holds those anew.
func TestACheckpointHoldsAnewWhatChanged(t *testing.T) {
	p := newPlant(t)
	var steps []step
	for i := range 50 {
		for seq := range uint64(5) {
			steps = append(steps, step{f: frame(fmt.Sprintf("RIG-%02d1", i), seq+1, 100, 100)})
		}
	}
	p.publish(steps)
	s := p.scorer(p.config())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	p.wait(p.allCovered(s))
	for seq := range uint64(9) {
		p.publish([]step{{f: frame(fmt.Sprintf("RIG-%02d1", seq%3), 100+seq, 100, 100)}})
		p.wait(p.allCovered(s))
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	m, _, err := newestManifest(t.Context(), p.opts, p.topics.State, 1)
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	if n := len(m.Pieces); n < 2 || n > 4 || m.Pieces[0].Drills > 3 || m.Pieces[n-1].Drills < 40 {
		t.Errorf("%d pieces, the first with %d drills, the last with %d", n, m.Pieces[0].Drills, m.Pieces[n-1].Drills)
	}
	s = p.scorer(p.config())
	p.publish([]step{{f: frame("RIG-001", 500, 100, 100)}, {f: frame("RIG-491", 500, 100, 100)}})
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	diff(t, p.published(), p.undisturbed())
}

// Pieces of which little lives go, and the smallest of too many.
func TestPiecesAreFew(t *testing.T) {
	w := &worker{part: newPartition(t, testConfig(), streamShelf(), newTape()), newest: &Manifest{}}
	add := func(x *piece, live int) *piece {
		w.newest.Pieces = append(w.newest.Pieces, x)
		for range live {
			d := w.part.drill(fmt.Sprint(len(w.part.order)))
			d.in = x
			w.part.settled(d)
		}
		return x
	}
	half, less := add(&piece{Drills: 10, Bytes: 10}, 5), add(&piece{Drills: 10, Bytes: 10}, 4)
	w.thin()
	if half.goes || !less.goes {
		t.Errorf("of which half lives: goes %v; less: %v", half.goes, less.goes)
	}
	for i := range mostPieces {
		add(&piece{Drills: 1, Bytes: int64(1 + i%9)}, 1)
	}
	w.thin()
	stay := 0
	for _, x := range w.newest.Pieces {
		if !x.goes {
			stay++
		}
	}
	if half.goes || stay != mostPieces/2 {
		t.Errorf("the largest goes: %v; %d of %d stay", half.goes, stay, len(w.newest.Pieces))
	}
}

// While blobs cannot be kept scoring goes on, and the first checkpoint after that holds all.
func TestWhatWasNotKeptIsInTheNextCheckpoint(t *testing.T) {
	p := newPlant(t)
	full := &full{plant: p}
	steps := stream(29, 1500)
	p.publish(steps[:500])
	s := p.scorer(p.config())
	s.deps.Blobs = full
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	p.wait(p.allCovered(s))
	full.refuse(true)
	p.publish(steps[500:1000])
	p.wait(func() bool { return full.refused() > 3 })
	full.refuse(false)
	p.wait(p.allCovered(s))
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p.publish(steps[1000:])
	s = p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	diff(t, p.published(), p.undisturbed())
}

// full is a store of blobs whose disk is full for a while.
type full struct {
	*plant
	no bool
	n  int
}

func (f *full) refuse(no bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.no = no
}

func (f *full) refused() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

func (f *full) Put(ctx context.Context, b []byte) (string, error) {
	f.mu.Lock()
	no := f.no
	if no {
		f.n++
	}
	f.mu.Unlock()
	if no {
		return "", errors.New("no space left")
	}
	return f.plant.Put(ctx, b)
}

// A marker changes every drill: all are written down before it takes effect.
func TestAMarkerWaitsForTheCut(t *testing.T) {
	p := newPartition(t, testConfig(), streamShelf(), newTape())
	for i := range 20 {
		feed(t, p, frame(fmt.Sprint("R", i), 1, 100, 100))
	}
	p.begin(func(*drill, []byte) {})
	mark(t, p, activate("first", 1, "a"))
	if p.cut.left != 0 || p.changes != 20 {
		t.Errorf("%d drills are still owed, %d changed", p.cut.left, p.changes)
	}
}
