package spool_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/gateway/spool"
)

func config() spool.Config {
	cfg := spool.DefaultConfig()
	cfg.Dir = "x"
	cfg.SegmentBytes, cfg.BatchBytes, cfg.Linger = 64<<10, 8<<10, 0
	cfg.MaxBytes = 1 << 20
	return cfg
}

// acks remembers which tokens were acknowledged while alive holds.
type acks struct {
	mu    sync.Mutex
	alive func() bool
	got   []uint64
	ch    chan uint64
}

func (a *acks) Spooled(token uint64) bool {
	if a.alive != nil && !a.alive() {
		return false
	}
	a.mu.Lock()
	a.got = append(a.got, token)
	a.mu.Unlock()
	if a.ch != nil {
		a.ch <- token
	}
	return true
}
func (a *acks) Flush() {}

// content of record number n: its size varies, and it holds what looks like a record.
func content(n int) []byte {
	b := make([]byte, 16+n*37%2000)
	binary.LittleEndian.PutUint64(b, uint64(n))
	for i := 8; i+4 < len(b); i += 97 {
		binary.LittleEndian.PutUint32(b[i:], 0x5d1c0de7)
	}
	return b
}

func number(t *testing.T, r spool.Record) int {
	t.Helper()
	n := int(binary.LittleEndian.Uint64(r.Payload))
	if !bytes.Equal(r.Payload, content(n)) {
		t.Fatalf("record %d of index %d came back changed", n, r.Index)
	}
	return n
}

// run starts the log; stop waits for it.
func run(l *spool.Log) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	return func() { cancel(); <-done }
}

// all reads everything a log holds.
func all(t *testing.T, l *spool.Log, from uint64) (numbers []int) {
	t.Helper()
	r := l.Reader(from)
	defer r.Close()
	last := uint64(0)
	for {
		rec, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return numbers
		}
		if rec.Index <= last {
			t.Fatalf("index %d after %d", rec.Index, last)
		}
		last = rec.Index
		numbers = append(numbers, number(t, rec))
	}
}

func open(t *testing.T, d *disk, opt spool.Options) *spool.Log {
	t.Helper()
	opt.FS = d
	l, err := spool.Open(config(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func put(t *testing.T, l *spool.Log, from, to int, w spool.Waiter) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := l.Append(spool.Record{Kind: 1, Time: int64(n), Payload: content(n)[4:]}, string(content(n)[:4]), w, uint64(n), spool.Note{}); err != nil && !errors.Is(err, spool.ErrClosed) {
			t.Fatal(err)
		}
	}
}

// A process is killed at every place of a workload, then power is cut there;
// whatever was acknowledged is read back by the next, in order.
func TestWhatWasAcknowledgedSurvivesDeathAtEveryPlace(t *testing.T) {
	passed := map[string]int{}
	for _, power := range []bool{false, true} {
		for at := int64(1); ; at++ {
			d := newDisk()
			rnd := rand.New(rand.NewPCG(uint64(at), 7))
			var after *disk
			var crashed atomic.Bool
			dying := make(chan struct{})
			var count, released atomic.Int64
			die := func(place string) {
				if count.Add(1) == at {
					crashed.Store(true)
					after = d.kill(power, rnd)
					passed[place]++
					close(dying)
				}
			}
			a := &acks{alive: func() bool { return !crashed.Load() }}
			l := open(t, d, spool.Options{Crash: die})
			finished := make(chan struct{})
			stop := run(l)
			go func() {
				defer close(finished)
				for n := 0; n < 400 && !crashed.Load(); n++ {
					put(t, l, n, n+1, a)
					if n%100 == 99 {
						released.Store(int64(n - 80))
						l.Release(uint64(n - 80))
					}
				}
			}()
			select {
			case <-dying:
				stop()
				<-finished
			case <-finished:
				stop()
			}
			if after == nil { // the workload ended first
				if at < 20 {
					t.Fatalf("only %d places were passed", at)
				}
				break
			}
			next := open(t, after, spool.Options{})
			have := map[int]bool{}
			for _, n := range all(t, next, 0) {
				have[n] = true
			}
			a.mu.Lock()
			for _, token := range a.got {
				if !have[int(token)] && int64(token) >= released.Load() { // the others may have been released
					t.Errorf("power %v, place %d: %d was acknowledged and is gone", power, at, token)
				}
			}
			a.mu.Unlock()
			// It goes on being written where it stopped.
			b := &acks{ch: make(chan uint64, 10)}
			stop = run(next)
			put(t, next, 1000, 1010, b)
			for range 10 {
				<-b.ch
			}
			stop()
			numbers := all(t, open(t, after, spool.Options{}), 0)
			if len(numbers) < 10 || numbers[len(numbers)-10] != 1000 {
				t.Fatalf("power %v, place %d: after the restart %v", power, at, numbers)
			}
		}
	}
	for _, place := range []string{"spool-write", "spool-torn", "spool-sync", "spool-synced", "spool-rotate", "spool-release"} {
		if passed[place] == 0 {
			t.Errorf("never killed at %s", place)
		}
	}
}

// filled returns a disk with one segment of n records.
func filled(t *testing.T, n int) *disk {
	t.Helper()
	d := newDisk()
	l := open(t, d, spool.Options{})
	stop := run(l)
	a := &acks{ch: make(chan uint64, n)}
	put(t, l, 0, n, a)
	for range n {
		<-a.ch
	}
	stop()
	return d
}

func only(t *testing.T, d *disk) (string, *inode) {
	t.Helper()
	if len(d.files) != 1 {
		t.Fatalf("%d files", len(d.files))
	}
	for name, f := range d.files {
		return name, f
	}
	panic("BUG: unreachable")
}

func TestATailTornAtAnyByteCostsOnlyWhatIsCutOff(t *testing.T) {
	const n = 12
	d := filled(t, n)
	name, f := only(t, d)
	ends := []int{}
	size := 0
	for i := range n {
		size += 32 + len(content(i))
		ends = append(ends, size)
	}
	for cut := 0; cut <= size; cut++ {
		e := newDisk()
		e.files[name] = &inode{data: append([]byte(nil), f.data[:cut]...), synced: cut}
		want := 0
		for want < n && ends[want] <= cut {
			want++
		}
		l := open(t, e, spool.Options{})
		if got := all(t, l, 0); len(got) != want {
			t.Fatalf("cut at %d: %v, not %d records", cut, got, want)
		}
		whole := cut == 0 || want > 0 && ends[want-1] == cut
		if d := l.Stat().Damage; whole != (len(d) == 0) {
			t.Fatalf("cut at %d: damage %v", cut, d)
		}
	}
}

func TestAFlippedByteCostsOneRecordAndIsNamed(t *testing.T) {
	const n = 12
	d := filled(t, n)
	name, f := only(t, d)
	for at := range f.data {
		e := newDisk()
		data := append([]byte(nil), f.data...)
		data[at] ^= 0x41
		e.files[name] = &inode{data: data, synced: len(data)}
		victim, end := 0, 0
		for end = 32 + len(content(0)); end <= at; end += 32 + len(content(victim)) {
			victim++
		}
		l := open(t, e, spool.Options{})
		got := all(t, l, 0)
		want := []int{}
		for i := range n {
			if i != victim {
				want = append(want, i)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("byte %d flipped: %v, not %v", at, got, want)
		}
		size := 32 + len(content(victim))
		if dm := l.Stat().Damage; len(dm) != 1 || dm[0].Segment != name || dm[0].Offset != int64(end-size) || dm[0].Bytes != int64(size) {
			t.Fatalf("byte %d flipped: damage %+v, record %d at %d of %d", at, dm, victim, end-size, size)
		}
	}
}

func TestAFullSpoolWithholdsAndGoesOnWhenReleased(t *testing.T) {
	d := newDisk()
	l := open(t, d, spool.Options{})
	stop := run(l)
	defer stop()
	a := &acks{ch: make(chan uint64, 4000)}
	done := make(chan struct{})
	go func() { defer close(done); put(t, l, 0, 2000, a) }()
	full := func() bool { return l.Stat().Full }
	await(t, "full", full)
	st := l.Stat()
	if st.Bytes > st.Limit {
		t.Errorf("%d bytes on disk, limit %d", st.Bytes, st.Limit)
	}
	seen := map[int]bool{}
	r := l.Reader(0)
	defer r.Close()
	for len(seen) < 2000 {
		rec, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			if err := l.Release(r.Index()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			if err := r.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			continue
		}
		seen[number(t, rec)] = true
	}
	<-done
	for range 2000 {
		<-a.ch
	}
	await(t, "not full", func() bool { return !l.Stat().Full })
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s for: %s", what)
		}
	}
}

// A disk refuses in each way for a while: nothing is acknowledged meanwhile,
// the state says why, and nothing acknowledged before or after is missing.
func TestADiskThatFailsWithholdsAndSaysWhy(t *testing.T) {
	for _, op := range []string{"write", "sync", "create", "syncdir"} {
		d := newDisk()
		l := open(t, d, spool.Options{})
		stop := run(l)
		a := &acks{ch: make(chan uint64, 4000)}
		put(t, l, 0, 100, a)
		for range 100 {
			<-a.ch
		}
		var failing atomic.Bool
		failing.Store(true)
		d.mu.Lock()
		d.fail = func(o string) error {
			if failing.Load() && (o == op || o == "create" && op == "syncdir") {
				return fmt.Errorf("%s: input/output error", op)
			}
			return nil
		}
		d.mu.Unlock()
		done := make(chan struct{})
		go func() { defer close(done); put(t, l, 100, 400, a) }()
		await(t, op+" error shown", func() bool { return l.Stat().Err != nil })
		n := len(a.ch)
		if op == "write" || op == "sync" {
			if n != 0 {
				t.Errorf("%s: %d acknowledged while the disk refused", op, n)
			}
		}
		failing.Store(false)
		<-done
		for range 300 {
			<-a.ch
		}
		stop()
		rnd := rand.New(rand.NewPCG(1, 2))
		got := all(t, open(t, d.kill(true, rnd), spool.Options{}), 0)
		seen := map[int]bool{}
		for _, n := range got {
			if seen[n] {
				t.Errorf("%s: %d is read twice", op, n)
			}
			seen[n] = true
		}
		if len(seen) != 400 {
			t.Errorf("%s: %d of 400 acknowledged records are there after a power cut", op, len(seen))
		}
	}
}

func TestADiskThatDoesNotAnswerWithholdsAndLetsInWhoIsOnTheWay(t *testing.T) {
	d := newDisk()
	l := open(t, d, spool.Options{})
	stop := run(l)
	if l.Withheld() != nil {
		t.Fatal("withheld from the start")
	}
	answer := make(chan struct{})
	d.mu.Lock()
	d.fail = func(op string) error {
		if op == "sync" {
			<-answer
		}
		return nil
	}
	d.mu.Unlock()
	a := &acks{ch: make(chan uint64, 4000)}
	put(t, l, 0, 1, a)
	await(t, "the disk's silence noticed", func() bool { return l.Stat().Stalled })
	again := l.Withheld()
	size := l.Stat().Limit
	put(t, l, 1, 50, a) // more than a batch of 8 KiB: appends do not wait
	select {
	case <-again:
		t.Fatal("taken again before the disk answered")
	default:
	}
	close(answer)
	<-again
	for range 50 {
		<-a.ch
	}
	if st := l.Stat(); st.Stalled || l.Withheld() != nil || st.Limit != size {
		t.Errorf("%+v", st)
	}
	stop()
}

func TestADiskWithoutSpaceWithholdsUntilThereIsSome(t *testing.T) {
	d := newDisk()
	d.space = 100 << 10
	l := open(t, d, spool.Options{})
	stop := run(l)
	a := &acks{ch: make(chan uint64, 4000)}
	done := make(chan struct{})
	go func() { defer close(done); put(t, l, 0, 300, a) }()
	await(t, "error shown", func() bool { return l.Stat().Err != nil })
	d.mu.Lock()
	d.space = 10 << 20
	d.mu.Unlock()
	<-done
	for range 300 {
		<-a.ch
	}
	stop()
	if got := all(t, open(t, d, spool.Options{}), 0); len(got) != 300 {
		t.Errorf("%d of 300", len(got))
	}
}

func TestNoIndexIsGivenTwice(t *testing.T) {
	d := filled(t, 5)
	name, _ := only(t, d)
	delete(d.files, name) // everything was released
	l := open(t, d, spool.Options{Next: 6})
	stop := run(l)
	a := &acks{ch: make(chan uint64, 1)}
	put(t, l, 5, 6, a)
	<-a.ch
	stop()
	r := l.Reader(6)
	if rec, ok, err := r.Next(); !ok || err != nil || rec.Index != 6 {
		t.Errorf("%+v %v %v", rec, ok, err)
	}
}

func TestADirectoryServesOneProcess(t *testing.T) {
	dir := t.TempDir()
	release, err := spool.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Lock(dir); err == nil {
		t.Error("locked twice")
	}
	release()
	if release, err = spool.Lock(dir); err != nil {
		t.Error(err)
	} else {
		release()
	}
}

func TestARealDirectoryKeepsRecords(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		fs, err := spool.Dir(dir)
		if err != nil {
			t.Fatal(err)
		}
		l, err := spool.Open(config(), spool.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		if got := all(t, l, 0); len(got) != 200*round {
			t.Fatalf("round %d: %d records", round, len(got))
		}
		stop := run(l)
		a := &acks{ch: make(chan uint64, 200)}
		put(t, l, 200*round, 200*(round+1), a)
		for range 200 {
			<-a.ch
		}
		stop()
	}
}

// Whatever a segment holds, reading ends, and what comes back is what was written.
func BenchmarkAppend(b *testing.B) {
	fs, err := spool.Dir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	cfg := spool.DefaultConfig()
	cfg.Dir = "x"
	l, err := spool.Open(cfg, spool.Options{FS: fs})
	if err != nil {
		b.Fatal(err)
	}
	stop := run(l)
	defer stop()
	payload := make([]byte, 1100)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%4096 == 0 {
			l.Release(uint64(n - 4096))
		}
		if err := l.Append(spool.Record{Kind: 1, Payload: payload}, "RIG-07", nil, 0, spool.Note{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(l.Stat().Batches), "fsyncs")
}

// A reader at the end of a segment that is sealed and released lets go of the
// file: open, it would still take the room that a full disk needs.
