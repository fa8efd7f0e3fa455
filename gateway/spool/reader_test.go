package spool_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/mudpulse/mudpulse/gateway/spool"
)

func TestAReaderFollowsTheWriterAndWaits(t *testing.T) {
	d := newDisk()
	l := open(t, d, spool.Options{})
	stop := run(l)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan int, 1000)
	done := make(chan error, 1)
	go func() {
		r := l.Reader(0)
		defer r.Close()
		for {
			rec, ok, err := r.Next()
			switch {
			case err != nil:
				done <- err
				return
			case ok:
				got <- int(binary.LittleEndian.Uint64(rec.Payload))
			default:
				if err := r.Wait(ctx); err != nil {
					done <- nil
					return
				}
			}
		}
	}()
	for n := range 500 {
		put(t, l, n, n+1, nil)
		if n%7 == 0 {
			await(t, "all that was put to be read", func() bool { return len(got) >= n })
		}
	}
	for n := range 500 {
		if g := <-got; g != n {
			t.Fatalf("read %d, not %d", g, n)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	stop()
}

func TestAReaderMadeAgainGoesOnWhereTheLastOneStood(t *testing.T) {
	d := newDisk()
	cfg := config()
	cfg.SegmentBytes, cfg.MaxBytes = 2<<20, 16<<20
	l, err := spool.Open(cfg, spool.Options{FS: d})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(l)
	defer stop()
	const n = 3000
	a := &acks{ch: make(chan uint64, n)}
	put(t, l, 0, n, a)
	for range n {
		<-a.ch
	}
	var r *spool.Reader
	read := func(from, count int) {
		t.Helper()
		r = l.ReaderAfter(uint64(from+1), r)
		for i := from; i < from+count; i++ {
			rec, ok, err := r.Next()
			if err != nil || !ok || number(t, rec) != i {
				t.Fatalf("record %d: index %d %v %v", i, rec.Index, ok, err)
			}
		}
		r.Close()
	}
	for i := 0; i < n; i += 30 { // some of them lie in the second segment
		read(i, 20) // and ten are left out
	}
	if size, got := int64(3<<20), d.read.Load(); got > n/30*(256<<10+64<<10) {
		t.Errorf("%d bytes read of %d: each reader reads from the segment's beginning", got, size)
	}
	read(7, 20) // back: a segment before
	read(2000, 5)
	read(1999, 5) // back by six
	read(2900, 5)
}

func FuzzReader(f *testing.F) {
	d := newDisk()
	l, err := spool.Open(config(), spool.Options{FS: d})
	if err != nil {
		f.Fatal(err)
	}
	stop := run(l)
	a := &acks{ch: make(chan uint64, 4)}
	for n := range 4 {
		if err := l.Append(spool.Record{Kind: 1, Payload: content(n)}, "", a, 0, spool.Note{}); err != nil {
			f.Fatal(err)
		}
		<-a.ch
	}
	stop()
	for _, file := range d.files {
		f.Add(file.data, 3, byte(1))
		f.Add(file.data, 40, byte(0xff))
	}
	f.Fuzz(func(t *testing.T, data []byte, at int, flip byte) {
		if at >= 0 && at < len(data) {
			data = append([]byte(nil), data...)
			data[at] ^= flip
		}
		e := newDisk()
		e.files["0000000000000001.seg"] = &inode{data: data, synced: len(data)}
		l, err := spool.Open(config(), spool.Options{FS: e})
		if err != nil {
			t.Fatal(err)
		}
		r := l.Reader(0)
		total := int64(0)
		for {
			rec, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			total += int64(len(rec.Payload)) + 32
		}
		for _, dm := range l.Stat().Damage {
			total += dm.Bytes
		}
		if total > int64(len(data)) {
			t.Fatalf("%d bytes accounted for in %d", total, len(data))
		}
	})
}

func TestAReaderLetsGoOfASegmentThatIsReleased(t *testing.T) {
	d := newDisk()
	l := open(t, d, spool.Options{})
	stop := run(l)
	defer stop()
	put(t, l, 0, 20, nil)
	r := l.Reader(0)
	defer r.Close()
	for n := 0; n < 20; {
		if _, ok, err := r.Next(); err != nil {
			t.Fatal(err)
		} else if ok {
			n++
		} else if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.open.Load(); n != 1 {
		t.Fatalf("%d files open while it reads", n)
	}
	d.mu.Lock()
	d.space = 0
	d.mu.Unlock()
	if err := l.Append(spool.Record{Payload: content(20)}, "", nil, 0, spool.Note{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the reader to wake and find the segment sealed", func() bool {
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.Next()
		return err == nil && d.open.Load() == 0
	})
	d.mu.Lock()
	d.space = 1 << 20
	d.mu.Unlock()
}
