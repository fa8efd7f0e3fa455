package duckdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

// What sealed files hold is known from when they were sealed. An audit reads the
// files themselves: a row that is in none of them any more is a gap at its stage,
// though the manifest, the file's size and its hash may all agree that nothing is amiss.

// audited is what an hour's files have of the numbered sources, by stage.
type audited struct {
	hours []int32
	found map[int32]ledger.Spans
}

// auditSealed returns which numbers sealed files should have, by what was kept of
// them, and have not. A file that cannot be read is not audited: its hour is
// unreadable as a whole. Call with mmu, so that no file comes or goes.
func (s *Store) auditSealed(ctx context.Context) (map[int32]*has, error) {
	byHour := map[int32][]*file{}
	for _, f := range s.sealedFiles() {
		whole := *f
		whole.damage = "" // what can be read of it counts here
		byHour[f.hour] = append(byHour[f.hour], &whole)
	}
	hours := make([]int32, 0, len(byHour))
	for h := range byHour {
		hours = append(hours, h)
	}
	slices.Sort(hours)
	now := s.clock.Now().UnixNano()
	records, readings := hourOf(now-int64(s.cfg.KeepRecords)), hourOf(now-int64(s.cfg.KeepReadings))
	stages := map[string]*audited{}
	for _, h := range hours {
		if s.cfg.KeepRecords > 0 && h < records {
			continue // dropped, or late and about to be
		}
		l := layout{s: s, files: byHour[h]}
		read := func(stage, rows string) error {
			a := stages[stage]
			if a == nil {
				a = &audited{found: map[int32]ledger.Spans{}}
				stages[stage] = a
			}
			found := map[int32]ledger.Spans{}
			err := s.islands(ctx, rows, func(src int32, r ledger.Span) { found[src] = append(found[src], r) })
			if err != nil {
				if ctx.Err() == nil && s.suspect(err) || damagedHour(s.sealedFiles(), h) {
					return nil
				}
				return err
			}
			a.hours = append(a.hours, h)
			for src, set := range found {
				a.found[src] = append(a.found[src], set...)
			}
			return nil
		}
		has := func(datasets ...string) bool {
			return slices.ContainsFunc(l.files, func(f *file) bool { return slices.Contains(datasets, f.dataset) })
		}
		var err error
		if has(dsFrames) {
			err = read(storage.StageStored, storedRows(l, isNumbered))
		}
		if err == nil && has(dsScores) {
			err = read(storage.StageScored, scoredRows(l, isNumbered))
		}
		if err == nil && has(dsFrames) && has(dsFast, dsMedium, dsSlow, dsNarrow) && (s.cfg.KeepReadings <= 0 || h >= readings) {
			err = read(storage.StageReadable, s.readableRows(l, isNumbered, ">="))
		}
		if err != nil {
			return nil, fmt.Errorf("audit %s: %w", hourName(h), err)
		}
	}
	out := map[int32]*has{}
	for _, stage := range storage.Stages {
		a := stages[stage]
		if a == nil || len(a.hours) == 0 {
			continue
		}
		want := map[int32]ledger.Spans{}
		err := s.sealedHas(ctx, "stage = "+lit(stage)+" AND "+notHot+" AND hour IN ("+joinInts(a.hours)+")", func(src int32, _ string, r ledger.Span) { want[src] = append(want[src], r) })
		if err != nil {
			return nil, err
		}
		for src, set := range want {
			gone := ledger.Minus(ledger.Merge(set), ledger.Merge(a.found[src]))
			if len(gone) == 0 {
				continue
			}
			if out[src] == nil {
				out[src] = &has{}
			}
			*out[src].stage(stage) = gone
		}
	}
	return out, nil
}

func damagedHour(files []*file, hour int32) bool {
	return slices.ContainsFunc(files, func(f *file) bool { return f.hour == hour && f.damage != "" })
}

// audit reads everything again, the sealed files too.
func (s *Store) audit(ctx context.Context) error {
	s.mmu.Lock() // nothing is sealed, merged or dropped meanwhile
	defer s.mmu.Unlock()
	gone, err := s.auditSealed(ctx)
	if err != nil {
		return err
	}
	if err := s.freshBook(ctx, true); err != nil {
		return err
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	srcs := make([]int32, 0, len(gone))
	for src := range gone {
		srcs = append(srcs, src)
	}
	slices.SortFunc(srcs, cmp.Compare[int32])
	for _, src := range srcs {
		h := s.book.sealedOf(src)
		for _, stage := range []string{storage.StageStored, storage.StageScored, storage.StageReadable} {
			set := h.stage(stage)
			*set = ledger.Minus(*set, *gone[src].stage(stage))
		}
		s.log.Warn("sealed files lack what was sealed into them", "source", src, "stored", gone[src].stored.Count(), "scored", gone[src].scored.Count(), "readable", gone[src].readable.Count())
	}
	return nil
}
