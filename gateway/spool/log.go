// Package spool keeps records on disk until they are safe elsewhere: a log in
// segments, one fsync for all who wait (group commit), bounded; it withholds
// rather than drops, and damage costs only the damaged records.
package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mudpulse/mudpulse/gateway/crash"
	"github.com/mudpulse/mudpulse/telemetry"
)

// ErrClosed is returned by Append once the log has stopped.
var ErrClosed = errors.New("spool: stopped")

// A Waiter is told when its records are durable. The log calls it from one
// goroutine, in the order of the Appends; it must not block.
type Waiter interface {
	// Spooled says that the record appended with token is durable. If it
	// returns true, Flush is called once after the last record of the batch.
	Spooled(token uint64) (flush bool)
	Flush()
}

// A Note is what the owner wants to know about a record once it is durable.
type Note struct {
	Ref any
	Seq uint64
}

// Options are what a log is given.
type Options struct {
	FS        FS
	Crash     crash.Func
	Committed func(next uint64, notes []Note) // called before the waiters; next is the index after the last
	Next      uint64                          // no index below it is given again
	Damage    []telemetry.Damage              // that was named before
	Now       func() time.Time                // wall time; time.Now
	Pace      func() time.Duration            // how far apart records come in clumps; a batch waits for its clump
}

// Stat is the state of a log.
type Stat struct {
	Bytes, Limit int64
	Segments     int
	Next         uint64 // index of the next record
	Synced       uint64 // every record below it is durable
	Full         bool   // appends are withheld
	Err          error  // why writing fails; appends are withheld
	Stalled      bool   // the disk has not answered for a second or more; appends are withheld
	Batches      int64  // fsyncs since Open
	Damage       []telemetry.Damage
}

// A Log is the spool. Append and Release are safe for concurrent use.
type Log struct {
	cfg  Config
	opt  Options
	fs   FS
	warn chan struct{} // wakes the committer when something is released

	mu       sync.Mutex
	room     *sync.Cond // pending was taken, or the log closed
	news     *sync.Cond // synced grew
	work     chan struct{}
	pending  batch
	spare    batch
	closed   bool
	next     uint64 // index of the next record
	synced   uint64
	released uint64 // the owner needs nothing below it
	full     bool
	err      error
	held     atomic.Pointer[held] // nil: appends are taken
	batches  int64
	sealings uint64     // counts sealed segments
	segs     []*segment // ascending; the active one last
	number   uint64     // of the newest file
	damage   []telemetry.Damage
	named    map[string]bool
}

// held stands for a time in which the disk takes nothing.
type held struct{ over chan struct{} }

// overrun is how many batches may gather while the disk takes nothing, for who
// was on their way when that began; then appends wait.
const overrun = 8

// stall is how long the disk may take to answer before that is withholding.
const stall = time.Second

// segment is one file. size and sealed are guarded by the log's mu.
type segment struct {
	name   string
	first  uint64 // index of its first record; 0: not known
	size   int64  // bytes that are readable
	oldest int64  // time of its first record
	sealed bool
}

// batch is what one write and one fsync make durable.
type batch struct {
	buf     []byte
	waiters []waiting
	notes   []Note
	first   uint64
	time    int64 // of the first record
	next    uint64
}

type waiting struct {
	w     Waiter
	token uint64
}

// Open reads what earlier runs left. Run must be called for Append to return.
func Open(cfg Config, opt Options) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if opt.Crash == nil {
		opt.Crash = crash.None
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Pace == nil {
		opt.Pace = func() time.Duration { return 0 }
	}
	if opt.Committed == nil {
		opt.Committed = func(uint64, []Note) {}
	}
	l := &Log{cfg: cfg, opt: opt, fs: opt.FS, warn: make(chan struct{}, 1), work: make(chan struct{}, 1), named: map[string]bool{}}
	l.room, l.news = sync.NewCond(&l.mu), sync.NewCond(&l.mu)
	for _, d := range opt.Damage {
		l.damage = append(l.damage, d)
		l.named[damageKey(d.Segment, d.Offset)] = true
	}
	files, err := l.fs.List()
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	for name, size := range files {
		n, ok := segmentNumber(name)
		if !ok {
			continue
		}
		l.number = max(l.number, n)
		l.segs = append(l.segs, &segment{name: name, size: size, sealed: true})
	}
	slices.SortFunc(l.segs, func(a, b *segment) int { return strings.Compare(a.name, b.name) })
	l.next = max(opt.Next, 1)
	for _, s := range l.segs {
		r := scanner{log: l, seg: s, limit: s.size}
		rec, ok, err := r.next()
		if err != nil {
			return nil, fmt.Errorf("open spool: %w", err)
		}
		if ok {
			s.first, s.oldest = rec.Index, rec.Time
		}
		r.close()
	}
	for i := len(l.segs) - 1; i >= 0; i-- {
		last, err := l.scan(l.segs[i], nil)
		if err != nil {
			return nil, fmt.Errorf("open spool: %w", err)
		}
		if last > 0 {
			l.next = max(l.next, last+1)
			break
		}
	}
	// What a killed process had written but not synced is there to be read, and
	// is counted as accepted: it must not vanish with the next power cut.
	if n := len(l.segs); n > 0 {
		f, err := l.fs.Open(l.segs[n-1].name)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err = errors.Join(err, l.fs.Sync()); err != nil {
			l.err = err // shown; writing will tell whether it still holds
		}
	}
	l.synced = l.next
	return l, nil
}

func segmentNumber(name string) (uint64, bool) {
	hex, ok := strings.CutSuffix(name, ".seg")
	if !ok || len(hex) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	return n, err == nil
}

// Append takes a record whose payload is head followed by r.Payload; both may
// be reused on return. w, if not nil, is told when it is durable. It waits while
// the batch under way is full; while the spool withholds, it takes some more
// first, so that who asks Withheld before each record is never made to wait long.
func (l *Log) Append(r Record, head string, w Waiter, token uint64, note Note) error {
	n := headerSize + len(head) + len(r.Payload)
	if n-headerSize > MaxRecord {
		return fmt.Errorf("spool: record of %d bytes, at most %d", n-headerSize, MaxRecord)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.pending.buf) > 0 && len(l.pending.buf)+n > l.most() {
		l.room.Wait()
	}
	if l.closed {
		return ErrClosed
	}
	p := &l.pending
	if len(p.buf) == 0 {
		p.first, p.time = l.next, r.Time
		select {
		case l.work <- struct{}{}:
		default:
		}
	}
	r.Index = l.next
	l.next++
	p.next = l.next
	p.buf = appendRecord(p.buf, &r, head)
	if w != nil {
		p.waiters = append(p.waiters, waiting{w, token})
	}
	if note.Ref != nil {
		p.notes = append(p.notes, note)
	}
	return nil
}

// most returns how many bytes may be pending.
func (l *Log) most() int {
	if l.held.Load() != nil {
		return overrun * l.cfg.BatchBytes
	}
	return l.cfg.BatchBytes
}

// Withheld returns nil if records are taken, else what is closed when they are again.
func (l *Log) Withheld() <-chan struct{} {
	if h := l.held.Load(); h != nil {
		return h.over
	}
	return nil
}

// withhold says from when on, and until when, the disk takes nothing. l.mu is held.
func (l *Log) withhold(on bool) {
	h := l.held.Load()
	switch {
	case on && h == nil && !l.closed:
		l.held.Store(&held{make(chan struct{})})
		l.room.Broadcast()
	case !on && h != nil:
		l.held.Store(nil)
		close(h.over)
	}
}

// Run writes what is appended until ctx is done; what is pending then is
// written once more before it returns. It returns nil.
func (l *Log) Run(ctx context.Context) error {
	var f File
	var seg *segment
	defer func() {
		l.mu.Lock()
		l.closed = true
		l.pending = batch{}
		l.room.Broadcast()
		l.news.Broadcast()
		l.withhold(false)
		l.mu.Unlock()
		if f != nil {
			f.Close()
		}
	}()
	var flush []Waiter
	for stopping := false; !stopping; {
		started := l.opt.Now()
		select {
		case <-l.work:
			if d := l.opt.Pace() / 4; d > 0 {
				l.linger(ctx, d)
			}
		case <-ctx.Done():
			stopping = true
		}
		l.mu.Lock()
		if stopping {
			l.closed = true
		}
		b := l.pending
		l.pending, l.spare = l.spare, batch{}
		l.room.Broadcast()
		l.mu.Unlock()
		if len(b.buf) == 0 {
			l.spare = b
			continue
		}
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
			answered := false
			late := time.AfterFunc(stall, func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				if !answered {
					l.withhold(true)
				}
			})
			err := l.write(&f, &seg, &b)
			late.Stop()
			l.mu.Lock()
			answered = true
			l.full, l.err = errors.Is(err, errFull), err
			if l.full {
				l.err = nil
			}
			l.withhold(err != nil)
			l.mu.Unlock()
			if err == nil {
				break
			}
			if stopping {
				return nil // never acknowledged
			}
			select {
			case <-l.warn:
				wait = 50 * time.Millisecond
			case <-time.After(wait):
			case <-ctx.Done():
				stopping = true
			}
		}
		l.opt.Crash("spool-synced")
		l.opt.Committed(b.next, b.notes)
		l.mu.Lock()
		l.synced = b.next
		l.batches++
		l.news.Broadcast()
		l.mu.Unlock()
		for _, w := range b.waiters {
			if w.w.Spooled(w.token) {
				flush = append(flush, w.w)
			}
		}
		for i, w := range flush {
			w.Flush()
			flush[i] = nil
		}
		flush = flush[:0]
		clear(b.waiters)
		clear(b.notes)
		l.mu.Lock()
		l.spare = batch{buf: b.buf[:0], waiters: b.waiters[:0], notes: b.notes[:0]}
		l.mu.Unlock()
		if d := l.cfg.Linger - l.opt.Now().Sub(started); d > 0 && !stopping {
			l.linger(ctx, d)
		}
	}
	return nil
}

// linger lets a batch gather for d.
func (l *Log) linger(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

var errFull = errors.New("spool: full")

// write makes b durable in the active segment, beginning a new one where it
// must. After an error the segment is not written again: what the kernel still
// holds of it is not to be trusted, so b goes whole into a new file.
func (l *Log) write(f *File, seg **segment, b *batch) error {
	if l.over(b) {
		if *seg != nil && (*seg).size > 0 {
			l.seal(f, seg) // so that it can be released
		}
		l.mu.Lock()
		index := l.released
		l.mu.Unlock()
		if err := l.Release(index); err != nil {
			return err
		}
		if l.over(b) {
			return errFull
		}
	}
	if *seg != nil && (*seg).size > 0 && (*seg).size+int64(len(b.buf)) > l.cfg.SegmentBytes {
		l.seal(f, seg)
	}
	if *seg == nil {
		l.opt.Crash("spool-rotate")
		l.mu.Lock()
		l.number++
		name := fmt.Sprintf("%016x.seg", l.number)
		l.mu.Unlock()
		file, err := l.fs.Create(name)
		if err == nil {
			if err = l.fs.Sync(); err != nil {
				file.Close()
				l.fs.Remove(name) // best effort: it is empty
			}
		}
		if err != nil {
			return fmt.Errorf("begin segment %s: %w", name, err)
		}
		*f, *seg = file, &segment{name: name, first: b.first, oldest: b.time}
		l.mu.Lock()
		l.segs = append(l.segs, *seg)
		l.mu.Unlock()
	}
	l.opt.Crash("spool-write")
	half := len(b.buf) / 2
	_, err := (*f).Write(b.buf[:half])
	if err == nil {
		l.opt.Crash("spool-torn")
		_, err = (*f).Write(b.buf[half:])
	}
	if err == nil {
		l.opt.Crash("spool-sync")
		err = (*f).Sync()
	}
	if err != nil {
		name := (*seg).name
		l.abandon(f, seg)
		return fmt.Errorf("write segment %s: %w", name, err)
	}
	l.mu.Lock()
	(*seg).size += int64(len(b.buf))
	l.mu.Unlock()
	return nil
}

// over reports whether b would exceed the bounds. An empty spool takes any batch.
func (l *Log) over(b *batch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	used, oldest := int64(0), int64(0)
	for _, s := range l.segs {
		used += s.size
		if oldest == 0 && s.size > 0 {
			oldest = s.oldest
		}
	}
	return used > 0 && (used+int64(len(b.buf)) > l.cfg.MaxBytes || l.cfg.MaxAge > 0 && b.time-oldest > int64(l.cfg.MaxAge))
}

// seal ends the active segment.
func (l *Log) seal(f *File, seg **segment) {
	(*f).Close()
	l.mu.Lock()
	(*seg).sealed = true
	l.sealings++
	l.news.Broadcast()
	l.mu.Unlock()
	*f, *seg = nil, nil
}

// abandon ends a segment that failed, keeping what was synced.
func (l *Log) abandon(f *File, seg **segment) {
	s := *seg
	if t, ok := (*f).(interface{ Truncate(int64) error }); ok {
		t.Truncate(s.size) // best effort: a reader takes what is whole
	}
	l.seal(f, seg)
	if s.size == 0 && l.fs.Remove(s.name) == nil {
		l.mu.Lock()
		l.segs = slices.DeleteFunc(l.segs, func(x *segment) bool { return x == s })
		l.mu.Unlock()
	}
}

// Release removes the segments all of whose records are below index.
func (l *Log) Release(index uint64) error {
	l.mu.Lock()
	l.released = max(l.released, index)
	n := 0
	for i, s := range l.segs {
		if !s.sealed {
			break
		}
		after := l.synced // the index after its last record, at most
		for _, t := range l.segs[i+1:] {
			if t.first > 0 {
				after = t.first
				break
			}
		}
		if after > index {
			break
		}
		n = i + 1
	}
	gone := slices.Clone(l.segs[:n])
	l.mu.Unlock()
	if n == 0 {
		return nil
	}
	for _, s := range gone {
		l.opt.Crash("spool-release")
		if err := l.fs.Remove(s.name); err != nil {
			return fmt.Errorf("release segment %s: %w", s.name, err)
		}
		l.mu.Lock()
		l.segs = slices.DeleteFunc(l.segs, func(x *segment) bool { return x == s })
		l.mu.Unlock()
	}
	select {
	case l.warn <- struct{}{}:
	default:
	}
	if err := l.fs.Sync(); err != nil {
		return fmt.Errorf("release segments: %w", err)
	}
	return nil
}

// Bounds returns the first index of each segment that is known, and the end of
// the last: what is released together lies between two of them.
func (l *Log) Bounds() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []uint64
	for _, s := range l.segs {
		if s.first > 0 {
			out = append(out, s.first)
		}
	}
	return append(out, l.synced)
}

// Stat returns the state of the log.
func (l *Log) Stat() Stat {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Stat{Limit: l.cfg.MaxBytes, Segments: len(l.segs), Next: l.next, Synced: l.synced, Full: l.full, Err: l.err, Batches: l.batches, Damage: slices.Clone(l.damage)}
	st.Stalled = l.held.Load() != nil && !l.full && l.err == nil
	for _, s := range l.segs {
		st.Bytes += s.size
	}
	return st
}

// name records damage once, however often it is read.
func (l *Log) name(s *segment, from, to int64) {
	if to <= from {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := damageKey(s.name, from)
	if l.named[key] {
		return
	}
	l.named[key] = true
	l.damage = append(l.damage, telemetry.Damage{Segment: s.name, Offset: from, Bytes: to - from, At: l.opt.Now().UnixNano()})
}

func damageKey(segment string, offset int64) string { return fmt.Sprint(segment, "@", offset) }
