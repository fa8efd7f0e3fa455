package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// chunk is read at once. Records point into it, so it is given back to the
// collector when the last of them is done with.
const chunk = 256 << 10

// scanner reads the records of one segment up to limit, passing over what is
// damaged and naming it.
type scanner struct {
	log   *Log
	seg   *segment
	limit int64 // bytes that may be read; may grow
	last  uint64
	f     File
	buf   []byte // holds the file from off on
	off   int64
}

func (s *scanner) close() {
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
}

// fill makes buf hold at least n bytes from off, or all up to the limit.
func (s *scanner) fill(n int) error {
	have := min(int64(max(n, chunk)), s.limit-s.off)
	if int64(len(s.buf)) >= min(int64(n), s.limit-s.off) {
		return nil
	}
	if s.f == nil {
		f, err := s.log.fs.Open(s.seg.name)
		if err != nil {
			return fmt.Errorf("read segment %s: %w", s.seg.name, err)
		}
		s.f = f
	}
	b := make([]byte, have)
	got := copy(b, s.buf)
	m, err := s.f.ReadAt(b[got:], s.off+int64(got))
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read segment %s: %w", s.seg.name, err)
	}
	s.buf = b[:got+m]
	if got+m < len(b) { // the file is shorter than it was: what is missing is lost
		s.log.name(s.seg, s.off+int64(got+m), s.limit)
		s.limit = s.off + int64(got+m)
	}
	return nil
}

// next returns the next record; ok is false at the limit.
func (s *scanner) next() (r Record, ok bool, err error) {
	bad := int64(-1) // where damage began
	for {
		if s.off >= s.limit {
			break
		}
		if err := s.fill(headerSize); err != nil {
			return r, false, err
		}
		size, v := parse(s.buf, &r)
		if v == short && int64(len(s.buf)) < s.limit-s.off {
			if err := s.fill(size); err != nil {
				return r, false, err
			}
			size, v = parse(s.buf, &r)
		}
		if v == whole && (bad < 0 || r.Index > s.last) {
			if bad >= 0 {
				s.log.name(s.seg, bad, s.off)
			}
			s.off += int64(size)
			s.buf = s.buf[size:]
			s.last = max(s.last, r.Index)
			return r, true, nil
		}
		if bad < 0 {
			bad = s.off
		}
		s.skip()
	}
	if bad >= 0 && !s.zeros(bad) {
		s.log.name(s.seg, bad, s.limit)
	}
	return r, false, nil
}

var magicBytes = []byte{magic & 0xff, magic >> 8 & 0xff, magic >> 16 & 0xff, magic >> 24}

// skip moves on to where the next record may begin.
func (s *scanner) skip() {
	n := min(1, len(s.buf))
	if i := bytes.Index(s.buf[n:], magicBytes); i >= 0 {
		n += i
	} else if int64(len(s.buf)) >= s.limit-s.off {
		n = len(s.buf)
	} else {
		n = max(n, len(s.buf)-len(magicBytes)+1)
	}
	s.off += int64(n)
	s.buf = s.buf[n:]
}

// zeros reports whether the file from off to the limit holds nothing but zeros:
// space that was allocated and never written.
func (s *scanner) zeros(off int64) bool {
	b := make([]byte, 64<<10)
	for off < s.limit {
		n, err := s.f.ReadAt(b[:min(int64(len(b)), s.limit-off)], off)
		for _, c := range b[:n] {
			if c != 0 {
				return false
			}
		}
		if err != nil || n == 0 {
			break
		}
		off += int64(n)
	}
	return true
}

// scan calls f for each record of a segment and returns the last index, 0 if there is none.
func (l *Log) scan(seg *segment, f func(Record)) (last uint64, err error) {
	s := scanner{log: l, seg: seg, limit: seg.size}
	defer s.close()
	for {
		r, ok, err := s.next()
		if err != nil || !ok {
			return s.last, err
		}
		if f != nil {
			f(r)
		}
	}
}

// Scan calls f for every record from index on that earlier runs left. Call it
// before Run.
func (l *Log) Scan(index uint64, f func(Record)) error {
	r := l.Reader(index)
	defer r.Close()
	for {
		rec, ok, err := r.Next()
		if err != nil || !ok {
			return err
		}
		f(rec)
	}
}

// A Reader reads durable records in order. One goroutine.
type Reader struct {
	l    *Log
	from uint64 // index of the next record
	s    scanner
	seen uint64 // how often segments were sealed when it looked last
}

// Reader returns a reader that starts at index, or at the first record kept above it.
func (l *Log) Reader(index uint64) *Reader { return &Reader{l: l, from: index} }

// ReaderAfter is Reader, but goes on where before stands, a closed reader, if that
// came no further and is in the same segment: else one that is made again and again
// reads the segment from its beginning each time.
func (l *Log) ReaderAfter(index uint64, before *Reader) *Reader {
	r := l.Reader(index)
	if before == nil || before.s.seg == nil || before.from > index {
		return r
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holds(index) == before.s.seg {
		r.s = scanner{log: l, seg: before.s.seg, off: before.s.off, last: before.s.last}
	}
	return r
}

// Index returns the index that the next record has at least.
func (r *Reader) Index() uint64 { return r.from }

// Next returns the next durable record; ok is false when there is none now. Its
// payload stays valid as long as it is held.
func (r *Reader) Next() (rec Record, ok bool, err error) {
	for {
		if r.s.seg != nil {
			sealed, synced := r.refresh()
			rec, ok, err := r.s.next()
			if err != nil {
				return rec, false, err
			}
			if ok {
				if rec.Index < r.from {
					continue // written twice, or before where we start
				}
				r.from = rec.Index + 1
				return rec, true, nil
			}
			if !sealed {
				r.from = max(r.from, synced) // what is missing below was damaged
				return rec, false, nil
			}
		}
		if !r.advance() {
			r.s.close() // read to its end: a file that is released and open still takes room
			return rec, false, nil
		}
	}
}

// refresh takes over how much of the segment may be read now.
func (r *Reader) refresh() (sealed bool, synced uint64) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.s.limit, r.seen = r.s.seg.size, r.l.sealings
	return r.s.seg.sealed, r.l.synced
}

// advance opens the segment after the present one, or that which holds from.
func (r *Reader) advance() bool {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.seen = r.l.sealings
	var to *segment
	if r.s.seg == nil {
		to = r.l.holds(r.from)
	} else if i := slices.IndexFunc(r.l.segs, func(s *segment) bool { return s.name > r.s.seg.name }); i >= 0 {
		to = r.l.segs[i]
	}
	if to == nil {
		r.from = max(r.from, r.l.synced) // what is missing below was damaged
		return false
	}
	r.s.close()
	last := r.s.last
	r.s = scanner{log: r.l, seg: to, last: last}
	return true
}

// holds returns the segment that an index lies in, or else the first that is kept. mu is held.
func (l *Log) holds(index uint64) (to *segment) {
	for _, s := range l.segs {
		if to == nil || s.first > 0 && s.first <= index {
			to = s
		}
	}
	return to
}

// Wait returns when there may be a next record, a segment was sealed, ctx is
// done, or the log stopped.
func (r *Reader) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		r.l.mu.Lock()
		r.l.news.Broadcast()
		r.l.mu.Unlock()
	})
	defer stop()
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	for r.l.synced <= r.from && r.seen == r.l.sealings && !r.l.closed && ctx.Err() == nil {
		r.l.news.Wait()
	}
	if ctx.Err() == nil && r.l.closed && r.l.synced <= r.from {
		return ErrClosed
	}
	return ctx.Err()
}

// Close gives the file back.
func (r *Reader) Close() { r.s.close() }
