package rescore

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Which models a span is scored again by.
const (
	Then = "then" // those that were on at each second
	Now  = "now"  // those that are on now
)

// A mark is a marker, and the event time from which it holds for what is scored again.
type mark struct {
	from int64
	telemetry.Marker
}

// always is before anything.
const always = math.MinInt64

// install is how long after the first model of all others still belong to it:
// they judge what was before, as history that is brought in.
const install = int64(10 * time.Minute)

// A key is what the marker after it takes the place of.
type key struct {
	kind, name     string
	shadow, canary bool
}

func keyOf(m *telemetry.Marker) key {
	if m.Kind == telemetry.MarkerRules {
		return key{kind: m.Kind}
	}
	return key{m.Kind, m.Name, m.Shadow, m.Canary}
}

// inForce returns the markers that matter to a drill, in the order in which they hold,
// out of all, newest first.
func inForce(all []telemetry.Marker, drill, models string) []mark {
	seen := map[key]bool{}
	began := int64(math.MaxInt64) // when the first model was switched on
	var out []mark
	for i := range all {
		m := &all[i]
		k := keyOf(m)
		switch {
		case m.Kind == telemetry.MarkerRun: // holds from a time of its own
			if len(m.Drills) == 1 && m.Drills[0] == drill {
				out = append(out, mark{always, *m})
			}
		case models == Then:
			out = append(out, mark{m.At, *m})
			if m.Kind == telemetry.MarkerModel {
				began = min(began, m.At)
			}
		case !seen[k] && m.Action == "activate":
			out = append(out, mark{always, *m})
		}
		seen[k] = true
	}
	slices.Reverse(out)
	if models != Then {
		return out
	}
	first := map[key]bool{}
	for i := range out {
		m := &out[i]
		k := keyOf(&m.Marker)
		if !first[k] && (m.Kind == telemetry.MarkerChannel || m.Kind == telemetry.MarkerModel && !m.Shadow && !m.Canary && m.At <= began+install) {
			m.from = always
		}
		first[k] = true
	}
	slices.SortStableFunc(out, func(a, b mark) int { return cmp.Compare(a.from, b.from) })
	return out
}

// longest is more than features and the rig's state remember.
const longest = int64(40 * 24 * time.Hour)

// within leaves out of marks what the span from..to cannot feel: what begins after it,
// and what others had taken the place of long before it.
func within(marks []mark, from, to int64) []mark {
	newest := map[key]int{}
	for i := range marks {
		if m := &marks[i]; m.from <= from-longest {
			newest[keyOf(&m.Marker)] = i
		}
	}
	var out []mark
	for i, m := range marks {
		old := m.from <= from-longest && m.Kind != telemetry.MarkerRun
		if m.from < to && (!old || newest[keyOf(&m.Marker)] == i && m.Action == "activate") {
			out = append(out, m)
		}
	}
	return out
}

// give gives p the marks that hold at a time, and returns those that are left.
func give(ctx context.Context, p *scorer.Partition, marks []mark, at int64) ([]mark, error) {
	for ; len(marks) > 0 && marks[0].from <= at; marks = marks[1:] {
		m := &marks[0].Marker
		if err := p.Marker(ctx, m, false); err != nil {
			return marks, fmt.Errorf("%s %s: %w", m.Kind, m.Name, err)
		}
	}
	return marks, nil
}

// far is how far back frames must begin for a second to be scored as the stream would,
// whatever of marks is in force at it: see scorer.Partition.Reach.
func far(ctx context.Context, d *Deps, cfg scorer.PartitionConfig, drill string, marks []mark) (reach time.Duration, whole bool, err error) {
	p, err := scorer.NewPartition(cfg, d.Loader, d.Rules, d.Catalogue, nothingStored{}, &tape{})
	if err != nil {
		return 0, false, err
	}
	for first := true; first || len(marks) > 0; first = false {
		at := int64(always)
		if !first {
			at = marks[0].from
		}
		if marks, err = give(ctx, p, marks, at); err != nil {
			return 0, false, err
		}
		r, all := p.Reach(drill)
		reach, whole = max(reach, r), whole || all
	}
	return reach, whole, nil
}
