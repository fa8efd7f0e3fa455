package scorer

import (
	"slices"
	"strings"
	"time"
)

// Status is what a scorer says of itself.
type Status struct {
	Partitions []PartitionStatus
	Models     []ModelStatus // of all partitions together, by name
	Refused    []Refusal     // markers that could not take effect, newest last
}

// PartitionStatus is what one partition has seen since it was started here.
type PartitionStatus struct {
	Partition                             int32
	Next, End                             [2]int64 // offsets of frames and backfill: next to take, and the log's end
	Drills                                int
	Frames, Duplicates, Conflicts, Poison int64
	Late, Scores, Panics, Errors          int64
	Restarts                              int64 // histories that went back in time and began again
	Applied                               int64 // markers that took effect
	CheckpointAt                          int64 // Unix ns, wall clock; 0 none yet
	models                                []ModelStatus
	refused                               []Refusal
}

// ModelStatus is one model in force, or waiting for the models that it reads.
type ModelStatus struct {
	Name    string
	Ref     string // name@version
	Version int
	SHA256  string
	Shadow  bool
	Canary  bool
	Waiting []string // outputs of models that are not active; the model starts when they are
	Broken  string   // why it was stopped
	Rows    int64
	Busy    time.Duration
	Trouble Trouble
}

// report copies what Status tells, as nobody else may touch the partition.
func (w *worker) report() {
	p := w.part
	s := PartitionStatus{Partition: w.p, Next: w.next, End: w.end, Frames: p.count.frames, Duplicates: p.count.duplicates, Conflicts: p.count.conflicts,
		Poison: p.count.poison, Late: p.count.late, Scores: p.count.rows, Panics: p.count.panics, Errors: p.count.errors, Restarts: p.count.restarts, Applied: p.applied}
	for _, l := range p.lanes {
		for _, a := range l.acts {
			s.models = append(s.models, ModelStatus{Name: a.name, Ref: a.ref, Version: a.version, SHA256: a.sha256, Shadow: a.shadow, Canary: a.canary, Broken: a.broken, Rows: a.rows, Busy: a.spent, Trouble: a.faults})
		}
		for _, a := range l.waiting {
			m := ModelStatus{Name: a.name, Ref: a.ref, Version: a.version, SHA256: a.sha256, Shadow: a.shadow, Waiting: []string{}}
			for _, f := range a.in {
				if name, _, ok := nameOf(f.Name); ok && producer(l.acts, name, a.shadow) < 0 {
					m.Waiting = append(m.Waiting, f.Name)
				}
			}
			s.models = append(s.models, m)
		}
	}
	s.Drills = len(p.order)
	s.refused = slices.Clone(p.refused)
	if m := w.covered.Load(); m != nil {
		s.CheckpointAt = m.At
	}
	w.mu.Lock()
	w.status = s
	w.mu.Unlock()
}

// Status returns what the partitions that this process owns have seen.
func (s *Scorer) Status() Status {
	var out Status
	at := map[string]int{}
	for _, w := range s.all() {
		w.mu.Lock()
		st := w.status
		w.mu.Unlock()
		out.Partitions = append(out.Partitions, st)
		for _, m := range st.models {
			key := m.Ref + map[bool]string{true: "~"}[m.Shadow]
			i, ok := at[key]
			if !ok {
				at[key] = len(out.Models)
				out.Models = append(out.Models, m)
				continue
			}
			o := &out.Models[i]
			o.Rows += m.Rows
			o.Busy += m.Busy
			o.Trouble.join(m.Trouble)
			if o.Broken == "" {
				o.Broken = m.Broken
			}
		}
		for _, r := range st.refused {
			if !slices.ContainsFunc(out.Refused, func(o Refusal) bool { return o.Marker.ID == r.Marker.ID }) {
				out.Refused = append(out.Refused, r)
			}
		}
	}
	slices.SortFunc(out.Models, func(a, b ModelStatus) int { return strings.Compare(a.Ref, b.Ref) })
	return out
}
