package storagetest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// points returns a channel's samples, or what is scored under that name, as known at a time (0: now), in no order.
func (m *Model) points(drill, channel string, known int64) []sample {
	var out []sample
	add := func(ts int64, v float64) {
		if v == v {
			out = append(out, sample{ts: ts, value: v})
		}
	}
	for _, s := range m.samples {
		if s.drill == drill && strings.EqualFold(s.channel, channel) && (known == 0 || s.at <= known) {
			add(s.ts, s.value)
		}
	}
	for _, s := range m.lastAt(drill, known) {
		switch channel {
		case "health":
			add(s.Tick, s.Health)
		case "state":
			if i := slices.Index(telemetry.States[:], s.State); i >= 0 {
				add(s.Tick, float64(i))
			}
		}
		for _, sub := range s.Subsystems {
			if channel == "health."+sub.Name {
				add(s.Tick, sub.Health)
			}
		}
		for _, r := range s.Results {
			for _, o := range r.Outputs {
				if channel == telemetry.ModelName(r.Model)+"."+o.Name && !r.Shadow {
					add(s.Tick, o.Number)
				}
			}
		}
	}
	return out
}

// Series sorts each channel's samples into its buckets one by one. Gaps are left out.
func (m *Model) Series(_ context.Context, q storage.SeriesQuery) ([]storage.Series, error) {
	var out []storage.Series
	from, to := micro(q.From)/1000, micro(q.To)/1000
	width := max(1, (to-from+int64(q.Points)-1)/int64(q.Points))
	for _, ch := range q.Channels {
		s := storage.Series{Channel: ch, Width: width * 1000}
		pts := m.points(q.Drill, ch, q.KnownAt)
		slices.SortStableFunc(pts, func(a, b sample) int { return cmp.Compare(a.ts, b.ts) })
		bucket := int64(-1)
		for _, p := range pts {
			t := p.ts / 1000
			if t < from || t >= to {
				continue
			}
			if b := (t - from) / width; b != bucket {
				bucket = b
				s.T, s.TLast = append(s.T, p.ts), append(s.TLast, p.ts)
				s.Min, s.Max = append(s.Min, p.value), append(s.Max, p.value)
				s.N = append(s.N, 0)
			}
			n := len(s.T) - 1
			s.TLast[n] = p.ts
			s.Min[n], s.Max[n] = min(s.Min[n], p.value), max(s.Max[n], p.value)
			s.N[n]++
		}
		out = append(out, s)
	}
	return out, nil
}

// Scores returns the last version of each tick.
func (m *Model) Scores(_ context.Context, drill string, from, to int64, limit int) ([]telemetry.Score, error) {
	out := []telemetry.Score{}
	for _, s := range m.last(drill) {
		if s.Tick >= micro(from) && s.Tick < micro(to) && (limit == 0 || len(out) < limit) {
			out = append(out, s)
		}
	}
	return out, nil
}

// newest sorts as stores do: by time, the later record first.
func newest[T any](list []T, at func(T) int64, keep func(T) bool) []T {
	out := []T{}
	for _, v := range slices.Backward(list) {
		if keep(v) {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(at(b), at(a)) })
	return out
}

// AlarmRecords writes what AlarmEvents finds as a store would have.
func (m *Model) AlarmRecords(ctx context.Context, q storage.AlarmQuery) ([]json.RawMessage, error) {
	events, err := m.AlarmEvents(ctx, q)
	out := make([]json.RawMessage, len(events))
	for i := range events {
		if out[i], err = json.Marshal(&events[i]); err != nil {
			return nil, err
		}
	}
	return out, err
}

// AlarmEvents goes through all.
func (m *Model) AlarmEvents(_ context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error) {
	return newest(m.b.Alarms, func(a telemetry.AlarmEvent) int64 { return a.At }, func(a telemetry.AlarmEvent) bool {
		return (q.ID == "" || a.ID == q.ID) && (q.IDs == nil || slices.Contains(q.IDs, a.ID)) && (q.Drill == "" || a.Drill == q.Drill) && (q.Before == 0 || a.At < q.Before) && a.At >= q.Since
	}), nil
}

// Commands goes through all.
func (m *Model) Commands(_ context.Context, q storage.CommandQuery) ([]telemetry.Command, error) {
	return newest(m.b.Commands, func(c telemetry.Command) int64 { return c.At }, func(c telemetry.Command) bool {
		return (q.Alarm == "" || c.Alarm == q.Alarm) && (q.Drill == "" || c.Drill == q.Drill)
	}), nil
}

// AlarmSteps goes through all.
func (m *Model) AlarmSteps(_ context.Context, after storage.Place, n int) ([]telemetry.AlarmEvent, storage.Place, error) {
	all := make([]telemetry.AlarmEvent, 0, len(m.b.Alarms))
	for _, a := range m.b.Alarms {
		e := telemetry.AlarmEvent{ID: a.ID, Event: a.Event, Drill: a.Drill, Rule: a.Rule, At: a.At, Raised: a.Raised, Priority: a.Priority}
		if a.Event == telemetry.AlarmRaised {
			e.Origin = a.Origin
		}
		all = append(all, e)
	}
	return follow(all, after, n, func(e telemetry.AlarmEvent) storage.Place { return storage.Place{At: e.At, ID: e.ID + " " + e.Event} })
}

// CommandSteps goes through all.
func (m *Model) CommandSteps(_ context.Context, after storage.Place, n int) ([]telemetry.Command, storage.Place, error) {
	return follow(m.b.Commands, after, n, func(c telemetry.Command) storage.Place { return storage.Place{At: c.At / 1000 * 1000, ID: c.ID} })
}

func follow[T any](list []T, after storage.Place, n int, place func(T) storage.Place) ([]T, storage.Place, error) {
	order := func(a, b storage.Place) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) }
	out := []T{}
	for _, v := range list {
		if order(place(v), after) > 0 {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b T) int { return order(place(a), place(b)) })
	if out = out[:min(n, len(out))]; len(out) > 0 {
		after = place(out[len(out)-1])
	}
	return out, after, nil
}

// Quarantine goes through all.
func (m *Model) Quarantine(_ context.Context, limit int, before int64) ([]telemetry.Quarantined, int64, error) {
	out := newest(m.b.Quarantined, func(q telemetry.Quarantined) int64 { return q.Received }, func(q telemetry.Quarantined) bool { return before == 0 || q.Received < before })
	return out[:min(limit, len(out))], int64(len(m.b.Quarantined)), nil
}

// Activations goes through all.
func (m *Model) Activations(context.Context) ([]telemetry.Marker, error) {
	return newest(m.b.Markers, func(x telemetry.Marker) int64 { return x.At }, func(telemetry.Marker) bool { return true }), nil
}

// Gateways is the last status of each.
func (m *Model) Gateways(context.Context) ([]telemetry.GatewayStatus, error) {
	by := map[string]telemetry.GatewayStatus{}
	for _, g := range m.b.Gateways {
		g.Accepted = nil
		by[g.Gateway] = g
	}
	out := []telemetry.GatewayStatus{}
	for _, g := range by {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b telemetry.GatewayStatus) int { return strings.Compare(a.Gateway, b.Gateway) })
	return out, nil
}

// Channels is the last registration of each.
func (m *Model) Channels(context.Context) ([]telemetry.Channel, error) {
	out := []telemetry.Channel{}
	for _, c := range m.b.Channels {
		if i := slices.IndexFunc(out, func(o telemetry.Channel) bool { return strings.EqualFold(o.Tag, c.Tag) }); i >= 0 {
			out[i] = c
		} else {
			out = append(out, c)
		}
	}
	return out, nil
}

type bootKey struct{ drill, device, boot string }

// Ledger counts numbers in sets. Gaps are left out; their number is checked by sums.
func (m *Model) Ledger(_ context.Context, q storage.LedgerQuery) (storage.Ledger, error) {
	type sets struct{ accepted, stored, scored, readable map[uint64]bool }
	all := map[bootKey]*sets{}
	get := func(drill, device, boot string) *sets {
		k := bootKey{drill, device, baseOf(boot)}
		if all[k] == nil {
			all[k] = &sets{map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}}
		}
		return all[k]
	}
	for _, g := range m.b.Gateways {
		for _, a := range g.Accepted {
			s := get(a.Drill, a.Device, a.Boot)
			for _, r := range a.Ranges {
				for n := r[0]; n <= r[1]; n++ {
					s.accepted[n] = true
				}
			}
		}
	}
	for _, f := range m.frames {
		s := get(f.Drill, f.Device, f.Boot)
		s.stored[f.Seq] = true
		s.readable[f.Seq] = true
	}
	for _, sc := range m.scores {
		for _, id := range sc.Causes {
			get(sc.Drill, id.Device, id.Boot).scored[id.Seq] = true
		}
	}
	var out storage.Ledger
	out.WithoutLedger = len(m.b.Gateways) == 0
	for k, s := range all {
		if q.Drill != "" && k.drill != q.Drill || q.Device != "" && k.device != q.Device {
			continue
		}
		row := storage.LedgerRow{Drill: k.drill, Device: k.device, Boot: k.boot, Accepted: uint64(len(s.accepted)), Stored: uint64(len(s.stored)),
			Scored: uint64(len(s.scored)), Readable: uint64(len(s.readable))}
		if k.boot == "~" || strings.HasSuffix(k.boot, "!") {
			if strings.HasSuffix(k.boot, "!") {
				row.Accepted = row.Stored
			}
			row.Sent = max(row.Accepted, row.Stored, row.Scored, row.Readable)
		} else {
			if len(s.accepted) > 0 { // a gateway may have forgotten what came before all that it tells
				told := ^uint64(0)
				for n := range s.accepted {
					told = min(told, n)
				}
				for n := range s.stored {
					if n < told {
						row.Accepted++
					}
				}
			}
			row.First = ^uint64(0)
			for _, set := range []map[uint64]bool{s.accepted, s.stored, s.scored} {
				for n := range set {
					row.First, row.Last = min(row.First, n), max(row.Last, n)
				}
			}
			row.Sent = row.Last - row.First + 1
		}
		out.Rows = append(out.Rows, row)
		out.Sent += row.Sent
		out.Accepted += row.Accepted
		out.Stored += row.Stored
		out.Scored += row.Scored
		out.Readable += row.Readable
	}
	for _, x := range m.b.Quarantined {
		if (q.Drill == "" || x.Drill == q.Drill) && (q.Device == "" || x.Device == q.Device) {
			out.Quarantined++
		}
	}
	slices.SortFunc(out.Rows, func(a, b storage.LedgerRow) int {
		return cmp.Or(strings.Compare(a.Drill, b.Drill), strings.Compare(a.Device, b.Device), strings.Compare(a.Boot, b.Boot))
	})
	return out, nil
}

func baseOf(boot string) string {
	if strings.HasPrefix(boot, "~") {
		return "~"
	}
	if i := strings.LastIndexByte(boot, '!'); i >= 0 {
		return boot[:i+1]
	}
	return boot
}

// Close does nothing.
func (m *Model) Close() error { return nil }
