package exports

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// describe says what each column is.
func describe(columns [][2]string, cat *telemetry.Catalogue) []Column {
	out := make([]Column, len(columns))
	for i, c := range columns {
		x := Column{Name: c[0], Type: strings.ToLower(c[1])}
		label, isLabel := strings.CutPrefix(c[0], "label_")
		switch {
		case c[0] == "drill":
			x.What = "whose row it is"
		case c[0] == "ts":
			x.What = "the tick: UTC, start of the second"
		case c[0] == "state":
			x.What = "rig state, as recognised: " + strings.Join(telemetry.States[:], ", ")
		case c[0] == "split":
			x.What = "the drill's share"
		case isLabel && strings.HasSuffix(label, "_hours_left"):
			x.What, x.Unit = "hours to the end of the label's span; missing outside", "h"
		case isLabel && strings.HasSuffix(label, "_age"):
			x.What = "share of the label's span that is over, 0 to 1; missing outside"
		case isLabel:
			x.What = "label"
		case isSaid(c[0]):
			x.What = "what was said at this tick, in its last version"
		default:
			x.What = "feature, as the stream computed it (docs/features.md)"
			if read := scorer.Reads(c[0]); len(read) == 1 {
				if ch := cat.Get(read[0]); ch != nil && read[0] == c[0] {
					x.What, x.Unit = "the tick's last good value of the channel: "+ch.What, ch.Unit
				}
			}
		}
		out[i] = x
	}
	return out
}

// verdicts adds people's last words on alarms as labels: from when an alarm was
// raised to when it cleared, by rule.
func verdicts(ctx context.Context, p *plan, src source) error {
	const all = 1_000_000
	commands, err := src.Commands(ctx, storage.CommandQuery{Limit: all})
	if err != nil {
		return err
	}
	last := map[string]telemetry.Command{} // by alarm; commands come newest first
	for _, c := range commands {
		if _, ok := last[c.Alarm]; c.Kind == "disposition" && !ok {
			last[c.Alarm] = c
		}
	}
	by := map[string]*labelColumn{}
	for id, c := range last {
		events, err := src.AlarmEvents(ctx, storage.AlarmQuery{ID: id, Limit: all})
		if err != nil {
			return err
		}
		if len(events) == 0 {
			continue
		}
		e := events[0] // the newest
		to := e.At
		if e.Event != telemetry.AlarmCleared {
			to = max(to, p.to)
		}
		kind := "verdict_" + strings.ReplaceAll(e.Rule, "-", "_")
		x := by[kind]
		if x == nil {
			x = &labelColumn{kind: kind, words: true, spans: map[string][]labelSpan{}}
			by[kind] = x
		}
		x.spans[e.Drill] = append(x.spans[e.Drill], labelSpan{e.Raised, max(to, e.Raised+int64(time.Second)), c.Value})
	}
	for _, x := range by {
		if slices.ContainsFunc(p.labels, func(o labelColumn) bool { return o.kind == x.kind }) {
			return fmt.Errorf("labels: kind %s: is taken by verdicts", x.kind)
		}
		for _, spans := range x.spans {
			slices.SortFunc(spans, func(a, b labelSpan) int { return cmp.Compare(a.from, b.from) })
		}
		p.labels = append(p.labels, *x)
	}
	slices.SortFunc(p.labels, func(a, b labelColumn) int { return strings.Compare(a.kind, b.kind) })
	return nil
}
